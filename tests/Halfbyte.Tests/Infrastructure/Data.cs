namespace Halfbyte.Tests;

/// <summary>Numbers to test with; the same for the same seed.</summary>
public static class Data
{
    public static DType[] DTypes => [DType.Float32, DType.Float16, DType.BFloat16];

    public static int[] BlockSizes => [32, 64, 128, 256, 512, 1024, 2048, 4096];

    /// <summary>Normally distributed, then rounded to <paramref name="dtype"/>.</summary>
    public static float[] Normal(int seed, long count, DType dtype = DType.Float32, double scale = 1)
    {
        var random = new Random(seed);
        float[] values = new float[count];
        for (long i = 0; i < count; i++)
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            values[i] = Elements.Round(scale * radius * Math.Cos(2 * Math.PI * random.NextDouble()), dtype);
        }

        return values;
    }

    /// <summary>Sixteen ascending values with a gap at zero, a duplicate, and no symmetry.</summary>
    public static float[] CustomCodebook =>
        [-1f, -0.9f, -0.9f, -0.61f, -0.4f, -0.21f, -0.125f, -0.03f, 0.07f, 0.11f, 0.3f, 0.302f, 0.45f, 0.8f, 0.95f, 0.975f];
}
