namespace Halfbyte.Cli.Demo;

/// <summary>
/// Seeded numbers that look like a trained model's: Student's t with five degrees of freedom, whose tails are heavier than a bell's,
/// and a few input channels many times larger than the rest. The same seed gives the same bits on any machine and any number of threads.
/// </summary>
internal static class SyntheticWeights
{
    private const int TableBits = 16;
    private const float Width = 0.02f;
    private const int OutlierEvery = 512; // one channel in so many
    private const float OutlierGain = 8;

    private static readonly Lazy<float[]> Table = new(MakeTable);

    /// <summary>Fills rows of a weight; <paramref name="firstRow"/> is the first one's index in the tensor.</summary>
    internal static void Fill(Span<BFloat16> rows, long firstRow, DemoTensor tensor)
    {
        if (tensor.Role == DemoRole.Norm)
        {
            FillNorm(rows, tensor.Name);
            return;
        }

        int columns = (int)tensor.Shape[^1];
        float[] gains = ChannelGains(columns, tensor);
        ulong seed = Hash(tensor.Name);
        float[] table = Table.Value;
        int count = rows.Length / columns;
        unsafe
        {
            fixed (BFloat16* start = rows)
            {
                BFloat16* first = start; // a fixed local cannot be captured
                Parallel.For(0, count, row => FillRow(
                    new Span<BFloat16>(first + ((long)row * columns), columns), seed ^ Mix((ulong)(firstRow + row)), table, gains));
            }
        }
    }

    /// <summary>Activations as they reach a linear layer: bell-shaped, and a few channels far outside, as LLM.int8() expects them.</summary>
    internal static float[] Activations(int rows, int columns)
    {
        var values = new float[rows * columns];
        ulong state = Hash("activations");
        float[] table = Table.Value;
        for (int i = 0; i < values.Length; i++)
        {
            bool outlier = i % columns % OutlierEvery == OutlierEvery / 2;
            values[i] = table[(int)(Next(ref state) >> (64 - TableBits))] * (outlier ? 20 : 0.5f);
        }

        return values;
    }

    private static void FillRow(Span<BFloat16> row, ulong state, float[] table, float[] gains)
    {
        for (int i = 0; i < row.Length; i += 4)
        {
            ulong bits = Next(ref state);
            for (int j = i; j < Math.Min(i + 4, row.Length); j++, bits >>= TableBits)
            {
                row[j] = (BFloat16)(table[bits & ((1 << TableBits) - 1)] * gains[j]);
            }
        }
    }

    private static void FillNorm(Span<BFloat16> values, string name)
    {
        ulong state = Hash(name);
        foreach (ref BFloat16 value in values)
        {
            value = (BFloat16)(1 + (0.1f * Table.Value[(int)(Next(ref state) >> (64 - TableBits))]));
        }
    }

    private static float[] ChannelGains(int columns, DemoTensor tensor)
    {
        var gains = new float[columns];
        Array.Fill(gains, Width);
        if (tensor.Role == DemoRole.Linear)
        {
            // Where the large channels are differs from tensor to tensor.
            for (int i = (int)(Hash(tensor.Name) % OutlierEvery); i < columns; i += OutlierEvery)
            {
                gains[i] = Width * OutlierGain;
            }
        }

        return gains;
    }

    // Quantiles of the distribution at the middles of 65536 equal steps, scaled to variance 1.
    private static float[] MakeTable()
    {
        const int Size = 1 << TableBits;
        double scale = Math.Sqrt(3.0 / 5); // the variance of t with 5 degrees of freedom is 5 / 3
        var table = new float[Size];
        for (int i = 0; i < Size / 2; i++)
        {
            double quantile = Quantile((i + 0.5) / Size);
            table[i] = (float)(quantile * scale);
            table[Size - 1 - i] = -table[i];
        }

        return table;
    }

    // The t with P(T < t) = p, for p < 1/2, by bisection.
    private static double Quantile(double p)
    {
        double low = -100, high = 0;
        for (int i = 0; i < 48; i++)
        {
            double middle = (low + high) / 2;
            if (Distribution(middle) < p)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }

        return (low + high) / 2;
    }

    // Student's t with five degrees of freedom has a closed form.
    private static double Distribution(double t)
    {
        double x = t / Math.Sqrt(5);
        double q = 1 / (1 + (x * x));
        return 0.5 + ((Math.Atan(x) + (x * q) + (2.0 / 3 * x * q * q)) / Math.PI);
    }

    private static ulong Hash(string name)
    {
        ulong hash = 0xCBF29CE484222325; // FNV-1a
        foreach (char c in name)
        {
            hash = (hash ^ c) * 0x100000001B3;
        }

        return Mix(hash);
    }

    // splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014)
    private static ulong Next(ref ulong state) => Mix(state += 0x9E3779B97F4A7C15);

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
