namespace Halfbyte.Tests;

/// <summary>4-bit quantization, one element at a time, in the words of halfbyte.h section 6. All arithmetic is float32, as there.</summary>
public static class Reference4Bit
{
    /// <summary>Codes, one per byte and not packed, and statistics.</summary>
    public static (byte[] Codes, float[] Absmax) Quantize(ReadOnlySpan<float> values, int blockSize, QuantType quantType, float[]? codebook = null)
    {
        byte[] codes = new byte[values.Length];
        float[] absmax = new float[(values.Length + blockSize - 1) / blockSize];
        float[] midpoints = quantType == QuantType.Fp4 ? [] : Midpoints(Table(quantType, codebook));
        for (int block = 0; block < absmax.Length; block++)
        {
            int begin = block * blockSize;
            int end = Math.Min(begin + blockSize, values.Length);
            absmax[block] = Absmax(values[begin..end]);
            float inverse = 1.0f / absmax[block];
            for (int i = begin; i < end; i++)
            {
                float t = values[i] * inverse;
                codes[i] = quantType == QuantType.Fp4 ? CodeFp4(t) : Code(midpoints, t);
            }
        }

        return (codes, absmax);
    }

    /// <summary>The largest magnitude; not-a-number does not count.</summary>
    public static float Absmax(ReadOnlySpan<float> values)
    {
        float absmax = 0;
        foreach (float value in values)
        {
            if (Math.Abs(value) > absmax)
            {
                absmax = Math.Abs(value);
            }
        }

        return absmax;
    }

    /// <summary>Two codes per byte, the first in the high half; a missing last one is the code of 0.</summary>
    public static byte[] Pack(byte[] codes, QuantType quantType, float[]? codebook = null)
    {
        byte[] packed = new byte[(codes.Length + 1) / 2];
        for (int i = 0; i < packed.Length; i++)
        {
            byte low = (2 * i) + 1 < codes.Length ? codes[(2 * i) + 1] : CodeOfZero(quantType, codebook);
            packed[i] = (byte)((codes[2 * i] << 4) | low);
        }

        return packed;
    }

    /// <summary>The sixteen values, in code order.</summary>
    public static float[] Table(QuantType quantType, float[]? codebook = null) => quantType switch
    {
        QuantType.Nf4 => ReferenceTables.Nf4,
        QuantType.Fp4 => ReferenceTables.Fp4,
        _ => codebook!,
    };

    public static byte CodeOfZero(QuantType quantType, float[]? codebook = null) =>
        quantType == QuantType.Fp4 ? CodeFp4(0) : Code(Midpoints(Table(quantType, codebook)), 0);

    /// <summary>The middle between neighbours, rounded once.</summary>
    public static float[] Midpoints(float[] table)
    {
        float[] midpoints = new float[table.Length - 1];
        for (int i = 0; i < midpoints.Length; i++)
        {
            midpoints[i] = (float)(((double)table[i] + table[i + 1]) / 2);
        }

        return midpoints;
    }

    public static byte Code(float[] midpoints, float t)
    {
        byte code = 0;
        foreach (float midpoint in midpoints)
        {
            code += (byte)(t > midpoint ? 1 : 0);
        }

        return code;
    }

    public static byte CodeFp4(float t)
    {
        byte sign = (byte)(t < 0 ? 8 : 0);
        foreach ((float above, byte magnitude) in ReferenceTables.Fp4Thresholds)
        {
            if (Math.Abs(t) > above)
            {
                return (byte)(sign + magnitude);
            }
        }

        return sign;
    }
}
