namespace Halfbyte.Tests;

/// <summary>Row-wise int8 with outliers, one element at a time, in the words of halfbyte.h section 9.</summary>
public static class ReferenceInt8
{
    public sealed record Rows(sbyte[] Codes, float[] Absmax, long[] OutlierColumns);

    /// <summary><paramref name="values"/> is dense [rows, cols].</summary>
    public static Rows Quantize(float[] values, int rows, int cols, float threshold)
    {
        sbyte[] codes = new sbyte[rows * cols];
        float[] absmax = new float[rows];
        var outlierColumns = new SortedSet<long>();
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < cols; c++)
            {
                float magnitude = Math.Abs(values[(r * cols) + c]);
                if (threshold > 0 && magnitude >= threshold)
                {
                    outlierColumns.Add(c);
                }
                else if (magnitude > absmax[r])
                {
                    absmax[r] = magnitude;
                }
            }

            float scale = 127.0f / absmax[r];
            for (int c = 0; c < cols; c++)
            {
                codes[(r * cols) + c] = Code(values[(r * cols) + c] * scale);
            }
        }

        foreach (long c in outlierColumns)
        {
            for (int r = 0; r < rows; r++)
            {
                codes[(r * cols) + c] = 0;
            }
        }

        return new(codes, absmax, [.. outlierColumns]);
    }

    public static float[] Dequantize(sbyte[] codes, float[] absmax, int cols)
    {
        float[] values = new float[codes.Length];
        for (int i = 0; i < codes.Length; i++)
        {
            values[i] = codes[i] * absmax[i / cols] * (1.0f / 127.0f);
        }

        return values;
    }

    /// <summary>Half to even; an infinite product, of a scale beyond float32, saturates.</summary>
    private static sbyte Code(float product) =>
        float.IsNaN(product) ? (sbyte)0 : (sbyte)Math.Clamp(MathF.Round(product, MidpointRounding.ToEven), -127, 127);
}
