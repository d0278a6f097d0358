namespace Halfbyte.Tests;

/// <summary>Blockwise 8-bit codes, one element at a time, in the words of halfbyte.h section 7.</summary>
public static class ReferenceBlockwise
{
    public static (byte[] Codes, float[] Absmax) Quantize(ReadOnlySpan<float> values, int blockSize, float[] codebook)
    {
        float[] midpoints = new float[255];
        for (int i = 0; i < 255; i++)
        {
            midpoints[i] = (codebook[i] + codebook[i + 1]) * 0.5f;
        }

        byte[] codes = new byte[values.Length];
        float[] absmax = new float[(values.Length + blockSize - 1) / blockSize];
        for (int block = 0; block < absmax.Length; block++)
        {
            int begin = block * blockSize;
            int end = Math.Min(begin + blockSize, values.Length);
            absmax[block] = Reference4Bit.Absmax(values[begin..end]);
            float inverse = 1.0f / absmax[block];
            for (int i = begin; i < end; i++)
            {
                codes[i] = Code(midpoints, values[i] * inverse);
            }
        }

        return (codes, absmax);
    }

    public static float[] Dequantize(byte[] codes, float[] absmax, int blockSize, float[] codebook)
    {
        float[] values = new float[codes.Length];
        for (int i = 0; i < codes.Length; i++)
        {
            values[i] = codebook[codes[i]] * absmax[i / blockSize];
        }

        return values;
    }

    private static byte Code(float[] midpoints, float t)
    {
        int code = 0;
        for (int i = 0; i < 255; i++)
        {
            if (t > midpoints[i] || (t == midpoints[i] && i % 2 == 1))
            {
                code++;
            }
        }

        return (byte)code;
    }
}
