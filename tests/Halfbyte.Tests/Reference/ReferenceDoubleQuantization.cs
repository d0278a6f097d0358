namespace Halfbyte.Tests;

/// <summary>Statistics in 8 bits, in the words of halfbyte.h section 8, the order of the mean's additions included.</summary>
public static class ReferenceDoubleQuantization
{
    private const int Chunk = 16384;
    private const int Lanes = 256;

    public static (byte[] Codes, float[] NestedAbsmax, float Offset) Quantize(float[] absmax, float[] codebook, int blockSize = 256)
    {
        float offset = Mean(absmax);
        float[] rest = Array.ConvertAll(absmax, value => value - offset);
        (byte[] codes, float[] nested) = ReferenceBlockwise.Quantize(rest, blockSize, codebook);
        return (codes, nested, offset);
    }

    public static float[] Dequantize(byte[] codes, float[] nestedAbsmax, float offset, float[] codebook, int blockSize = 256)
    {
        float[] absmax = ReferenceBlockwise.Dequantize(codes, nestedAbsmax, blockSize, codebook);
        return Array.ConvertAll(absmax, value => value + offset);
    }

    public static float Mean(float[] values)
    {
        if (values.Length == 0)
        {
            return 0;
        }

        double sum = 0;
        for (int begin = 0; begin < values.Length; begin += Chunk)
        {
            double[] lanes = new double[Lanes];
            for (int i = begin; i < Math.Min(begin + Chunk, values.Length); i++)
            {
                lanes[(i - begin) % Lanes] += values[i];
            }

            for (int stride = Lanes / 2; stride >= 1; stride /= 2)
            {
                for (int lane = 0; lane < stride; lane++)
                {
                    lanes[lane] += lanes[lane + stride];
                }
            }

            sum += lanes[0];
        }

        return (float)(sum / values.Length);
    }
}
