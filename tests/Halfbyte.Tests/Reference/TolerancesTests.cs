namespace Halfbyte.Tests;

/// <summary>The tolerances let through what float32 does, and nothing cruder.</summary>
public sealed class TolerancesTests
{
    [Test]
    public void A_plain_float32_sum_passes([Values(1, 64, 1152, 4304, 18944)] int k, [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        (float[] x, float[] w) = Operands(k);
        Assert.That(Failures(k, dtype, i => Sum(x, w, i, k, value => value)), Is.Zero);
    }

    [Test]
    public void Weights_rounded_to_bfloat16_do_not([Values(64, 1152, 4304)] int k)
    {
        (float[] x, float[] w) = Operands(k);
        Assert.That(Failures(k, DType.Float32, i => Sum(x, w, i, k, value => Elements.Round(value, DType.BFloat16))), Is.GreaterThan(16));
    }

    [Test]
    public void Partial_sums_rounded_to_bfloat16_do_not([Values(64, 1152, 4304)] int k)
    {
        (float[] x, float[] w) = Operands(k);
        double Half(int i) => Elements.Round(Sum(x, w, i, k / 2, value => value), DType.BFloat16);
        Assert.That(Failures(k, DType.Float32, i => Half(i) + Sum(x, w, i, k, value => value) - Sum(x, w, i, k / 2, value => value)), Is.GreaterThan(16));
    }

    [Test]
    public void A_result_rounded_to_another_type_does_not()
    {
        (float[] x, float[] w) = Operands(64);
        Assert.That(Failures(64, DType.Float32, i => Elements.Round(Sum(x, w, i, 64, value => value), DType.Float16)), Is.GreaterThan(16));
        Assert.That(Failures(64, DType.Float16, i => Elements.Round(Sum(x, w, i, 64, value => value), DType.BFloat16)), Is.GreaterThan(16));
    }

    [Test]
    public void A_missing_last_element_does_not_pass()
    {
        (float[] x, float[] w) = Operands(4304);
        Assert.That(Failures(4304, DType.BFloat16, i => Sum(x, w, i, 4303, value => value)), Is.GreaterThan(8));
    }

    [Test]
    public void Weights_rounded_to_the_type_of_the_activations_pass_on_CUDA(
        [Values(1, 16, 64, 1152, 4304, 18944)] int k, [Values(DType.Float16, DType.BFloat16)] DType dtype)
    {
        (float[] x, float[] w) = Operands(k);
        Assert.That(Failures(k, dtype, i => Sum(x, w, i, k, value => Elements.Round(value, dtype)), Tolerances.FourBitRounded), Is.Zero);
    }

    [Test]
    public void Sixteen_missing_elements_do_not_pass_on_CUDA([Values(64, 4304)] int k, [Values(DType.Float16, DType.BFloat16)] DType dtype)
    {
        (float[] x, float[] w) = Operands(k);
        Assert.That(
            Failures(k, dtype, i => Sum(x, w, i, k - 16, value => Elements.Round(value, dtype)), Tolerances.FourBitRounded), Is.GreaterThan(16));
    }

    /// <summary>32 rows of weights, one of activations.</summary>
    private static (float[] X, float[] W) Operands(int k) => (Data.Normal(1, k, DType.BFloat16), Data.Normal(2, 32 * k, scale: 0.05));

    private static double Sum(float[] x, float[] w, int row, int k, Func<float, float> weight)
    {
        int length = x.Length;
        float sum = 0;
        for (int i = 0; i < k; i++)
        {
            sum += x[i] * weight(w[(row * length) + i]);
        }

        return sum;
    }

    private static int Failures(
        int k, DType dtype, Func<int, double> compute, Func<double, double, long, DType, double>? tolerance = null)
    {
        (float[] x, float[] w) = Operands(k);
        Product exact = Product.Forward(x, Array.ConvertAll(w, value => (double)value), null, 1, 32, k);
        tolerance ??= Tolerances.FourBit;
        int failures = 0;
        for (int i = 0; i < 32; i++)
        {
            double actual = Elements.Round(compute(i), dtype);
            failures += Math.Abs(actual - exact.Values[i]) <= tolerance(exact.Magnitudes[i], exact.Values[i], k, dtype) ? 0 : 1;
        }

        return failures;
    }
}
