namespace Halfbyte.Tests;

/// <summary>Comparisons that say where and by how much.</summary>
public static class Expect
{
    /// <summary>The same bits, except that every not-a-number is one.</summary>
    public static void Bits(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected, string what)
    {
        Assert.That(actual.Length, Is.EqualTo(expected.Length), $"{what}: length");
        for (int i = 0; i < actual.Length; i++)
        {
            if (BitConverter.SingleToUInt32Bits(actual[i]) != BitConverter.SingleToUInt32Bits(expected[i])
                && !(float.IsNaN(actual[i]) && float.IsNaN(expected[i])))
            {
                Assert.Fail($"{what}[{i}] is {actual[i]:R}, expected {expected[i]:R}");
            }
        }
    }

    public static void Equal<T>(ReadOnlySpan<T> actual, ReadOnlySpan<T> expected, string what, Func<int, string>? explain = null)
        where T : IEquatable<T>
    {
        Assert.That(actual.Length, Is.EqualTo(expected.Length), $"{what}: length");
        int same = actual.CommonPrefixLength(expected);
        if (same < actual.Length)
        {
            Assert.Fail($"{what}[{same}] is {actual[same]}, expected {expected[same]} {explain?.Invoke(same)}");
        }
    }

    /// <summary>Within the tolerance of <see cref="Tolerances"/>; infinite or not a number exactly where the reference is.</summary>
    public static void Close(
        float[] actual, Product expected, DType dtype, long terms, Func<double, double, long, DType, double> tolerance, string what)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Values.Length), what);
        for (int i = 0; i < actual.Length; i++)
        {
            double value = expected.Values[i];
            string place = $"{what}: y[{i / expected.Columns}, {i % expected.Columns}] is {actual[i]:R}, expected {value:R}";
            float rounded = Elements.Round(value, dtype);
            if (!float.IsFinite(rounded))
            {
                if (!actual[i].Equals(rounded))
                {
                    Assert.Fail(place);
                }

                continue;
            }

            double allowed = tolerance(expected.Magnitudes[i], value, terms, dtype);
            double error = Math.Abs(actual[i] - value);
            if (!(error <= allowed))
            {
                Assert.Fail($"{place}: off by {error:G3}, allowed {allowed:G3}");
            }
        }
    }
}
