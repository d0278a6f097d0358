namespace Halfbyte.Cli.Doctor;

/// <summary>The definitions of the C header, once more in plain C#, to hold every device and every CPU path against. Slow on purpose.</summary>
internal static class Reference
{
    private const int NestedBlockSize = 256;
    private const int MeanChunk = 16384;
    private const int MeanLanes = 256;

    // |t| above the bound gives the code; the first that fits counts.
    private static readonly (float Above, byte Code)[] Fp4Bounds =
    [
        (0.8333333f, 3), (0.583333f, 2), (0.4166667f, 5), (0.29166667f, 4), (0.20833333f, 7), (0.0859375f, 6), (0.00260417f, 1),
    ];

    internal static (byte[] Packed, float[] Absmax) QuantizeFourBit(ReadOnlySpan<float> x, int blockSize, QuantType type)
    {
        float[] bounds = type == QuantType.Nf4 ? Midpoints(FourBit.Nf4Values) : [];
        var packed = new byte[(x.Length + 1) / 2];
        float[] absmax = Absmax(x, blockSize);
        for (int i = 0; i < packed.Length * 2; i++)
        {
            // After an odd number of elements the last half byte holds the code of zero.
            float t = i < x.Length ? x[i] * (1.0f / absmax[i / blockSize]) : 0;
            int code = type == QuantType.Nf4 ? Count(bounds, t) : Fp4Code(t);
            packed[i / 2] |= (byte)(i % 2 == 0 ? code << 4 : code);
        }

        return (packed, absmax);
    }

    internal static float[] DequantizeFourBit(ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, int count, int blockSize, QuantType type)
    {
        ReadOnlySpan<float> values = type == QuantType.Nf4 ? FourBit.Nf4Values : FourBit.Fp4Values;
        var x = new float[count];
        for (int i = 0; i < count; i++)
        {
            int code = i % 2 == 0 ? packed[i / 2] >> 4 : packed[i / 2] & 15;
            x[i] = values[code] * absmax[i / blockSize];
        }

        return x;
    }

    internal static (byte[] Codes, float[] NestedAbsmax, float Offset) DoubleQuantize(ReadOnlySpan<float> absmax)
    {
        float offset = Mean(absmax);
        var rest = new float[absmax.Length];
        for (int i = 0; i < rest.Length; i++)
        {
            rest[i] = absmax[i] - offset;
        }

        ReadOnlySpan<float> map = Blockwise.DynamicMapSigned;
        float[] nested = Absmax(rest, NestedBlockSize);
        var codes = new byte[rest.Length];
        for (int i = 0; i < codes.Length; i++)
        {
            codes[i] = NearestCode(map, rest[i] * (1.0f / nested[i / NestedBlockSize]));
        }

        return (codes, nested, offset);
    }

    internal static (sbyte[] Codes, float[] Absmax) QuantizeInt8(ReadOnlySpan<float> x, int rows, int columns)
    {
        var codes = new sbyte[rows * columns];
        float[] absmax = Absmax(x, columns);
        for (int i = 0; i < codes.Length; i++)
        {
            float scaled = x[i] * (127.0f / absmax[i / columns]);
            codes[i] = float.IsNaN(scaled) ? (sbyte)0 : (sbyte)Math.Clamp(Math.Round(scaled, MidpointRounding.ToEven), -127, 127);
        }

        return (codes, absmax);
    }

    /// <summary>y = x * W^T in float64, and the sum of the products' magnitudes, on which a bound for float32 rests.</summary>
    internal static (double[] Y, double[] Magnitude) Multiply(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, int m, int n, int k)
    {
        var y = new double[m * n];
        var magnitude = new double[m * n];
        for (int row = 0; row < m; row++)
        {
            for (int feature = 0; feature < n; feature++)
            {
                for (int i = 0; i < k; i++)
                {
                    double product = (double)x[(row * k) + i] * weight[(feature * k) + i];
                    y[(row * n) + feature] += product;
                    magnitude[(row * n) + feature] += Math.Abs(product);
                }
            }
        }

        return (y, magnitude);
    }

    private static float[] Absmax(ReadOnlySpan<float> x, int blockSize)
    {
        var absmax = new float[(x.Length + blockSize - 1) / blockSize];
        for (int i = 0; i < x.Length; i++)
        {
            float magnitude = Math.Abs(x[i]);
            if (magnitude > absmax[i / blockSize]) // false for NaN
            {
                absmax[i / blockSize] = magnitude;
            }
        }

        return absmax;
    }

    private static float[] Midpoints(ReadOnlySpan<float> values)
    {
        var midpoints = new float[values.Length - 1];
        for (int i = 0; i < midpoints.Length; i++)
        {
            midpoints[i] = (float)(((double)values[i] + values[i + 1]) / 2);
        }

        return midpoints;
    }

    private static int Count(float[] bounds, float t)
    {
        int count = 0;
        foreach (float bound in bounds)
        {
            count += t > bound ? 1 : 0;
        }

        return count;
    }

    private static int Fp4Code(float t)
    {
        int sign = t < 0 ? 8 : 0;
        foreach ((float above, byte code) in Fp4Bounds)
        {
            if (Math.Abs(t) > above)
            {
                return sign + code;
            }
        }

        return sign;
    }

    private static byte NearestCode(ReadOnlySpan<float> map, float t)
    {
        int code = 0;
        for (int i = 0; i < map.Length - 1; i++)
        {
            float midpoint = (map[i] + map[i + 1]) * 0.5f;
            code += t > midpoint || (t == midpoint && i % 2 == 1) ? 1 : 0;
        }

        return (byte)code;
    }

    private static float Mean(ReadOnlySpan<float> values)
    {
        double total = 0;
        Span<double> lanes = stackalloc double[MeanLanes];
        for (int start = 0; start < values.Length; start += MeanChunk)
        {
            ReadOnlySpan<float> chunk = values[start..Math.Min(values.Length, start + MeanChunk)];
            lanes.Clear();
            for (int i = 0; i < chunk.Length; i++)
            {
                lanes[i % MeanLanes] += chunk[i];
            }

            for (int stride = MeanLanes / 2; stride > 0; stride /= 2)
            {
                for (int lane = 0; lane < stride; lane++)
                {
                    lanes[lane] += lanes[lane + stride];
                }
            }

            total += lanes[0];
        }

        return values.IsEmpty ? 0 : (float)(total / values.Length);
    }
}
