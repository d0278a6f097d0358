namespace Halfbyte.Tests;

/// <summary>dx = sum of dy_i * W_i with 4-bit weights is within <see cref="Tolerances.FourBitOn"/> of its float64 value.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class MatMul4BitTransposedTests(string device) : DeviceTests(device)
{
    private static Format4Bit[] Formats => Format4Bit.All;

    [Test]
    public void Every_shape(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [ValueSource(nameof(Formats))] Format4Bit format)
    {
        foreach ((int n, int k) in Shapes.Weights)
        {
            using var weight = new Weight4Bit(Stream, n, k, format, seed: n + k);
            foreach (int m in Shapes.Rows)
            {
                AssertCloseToReference([weight], m, dtype);
            }
        }
    }

    [Test]
    public void Real_layers([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        foreach ((int m, int n, int k) in Shapes.Real)
        {
            using var weight = new Weight4Bit(Stream, n, k, new(QuantType.Nf4, 64, true));
            AssertCloseToReference([weight], m, dtype);
        }
    }

    [Test]
    public void Every_nested_block_size(
        [ValueSource(typeof(Data), nameof(Data.BlockSizes))] int nestedBlockSize, [Values(1, 20)] int m, [Values(1030, 1040)] int k)
    {
        using var weight = new Weight4Bit(Stream, 72, k, new(QuantType.Fp4, 32, true, nestedBlockSize));
        AssertCloseToReference([weight], m, DType.Float32);
        AssertCloseToReference([weight], m, DType.BFloat16);
    }

    [Test]
    public void Several_weights_add_up([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(1, 2, 20)] int m)
    {
        Weight4Bit[] weights = [.. Format4Bit.All.Select((format, i) => new Weight4Bit(Stream, 1 + (i * 13), 100, format, seed: i))];
        try
        {
            AssertCloseToReference(weights, m, dtype);
            AssertCloseToReference(weights, m, dtype, gap: 5);
        }
        finally
        {
            Array.ForEach(weights, weight => weight.Dispose());
        }
    }

    [Test]
    public void A_weight_without_rows_gives_zero()
    {
        using var weight = new Weight4Bit(Stream, 0, 6, new(QuantType.Nf4, 64, false));
        AssertCloseToReference([weight], 3, DType.Float32);
    }

    [Test]
    public void The_same_bits_every_time_and_with_any_number_of_threads(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(1, 31)] int m)
    {
        byte[]? first = null;
        for (int run = 0; run < 2; run++)
        {
            WithThreads(stream =>
            {
                using var weight = new Weight4Bit(stream, 301, 777, new(QuantType.Nf4, 64, true));
                byte[] bytes = Multiply(stream, [weight], [Data.Normal(m, m * 301, dtype)], m, dtype, 0).Bytes;
                first ??= bytes;
                Expect.Equal<byte>(bytes, first, $"bytes of dx, run {run}");
            });
        }
    }

    [Test]
    public void Not_a_number_and_infinity_stay_in_their_row([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        using var weight = new Weight4Bit(Stream, 40, 130, new(QuantType.Fp4, 64, false));
        float[] dy = Data.Normal(1, 3 * 40, dtype);
        dy[7] = float.NaN;
        dy[40 + 39] = float.PositiveInfinity;
        AssertCloseToReference([weight], 3, dtype, gradient: dy);
    }

    private void AssertCloseToReference(Weight4Bit[] weights, int m, DType dtype, int gap = 0, float[]? gradient = null)
    {
        int k = weights[0].K;
        float[][] gradients = [.. weights.Select(weight => gradient ?? Data.Normal(m + weight.N, m * weight.N, dtype))];
        float[] actual = Multiply(Stream, weights, gradients, m, dtype, gap).Values;
        Product? expected = null;
        for (int i = 0; i < weights.Length; i++)
        {
            expected = Product.Backward(gradients[i], weights[i].Values, m, weights[i].N, k, expected);
        }

        int terms = weights.Sum(weight => weight.N);
        Expect.Close(actual, expected!, dtype, terms, Tolerances.FourBitOn(Stream.Device), $"M={m} N={terms} K={k} {weights[0].Format} {dtype}");
    }

    private static (float[] Values, byte[] Bytes) Multiply(
        ComputeStream stream, Weight4Bit[] weights, float[][] gradients, int m, DType dtype, int gap)
    {
        int k = weights[0].K;
        Matrix[] inputs = [.. weights.Select((weight, i) => new Matrix(stream, dtype, m, weight.N, gradients[i], gap))];
        using var dx = new Matrix(stream, dtype, m, k, gap);
        FourBitWeight[] descriptors = [.. weights.Select(weight => weight.Descriptor)];
        ProductGradient[] sources = [.. inputs.Select(input => new ProductGradient { Dy = input.Pointer, LeadingDimension = input.LeadingDimension })];
        long bytes = Raw.MatMulFourBitTransposedWorkspace(stream.Handle, descriptors, dtype, m);
        using var workspace = new TestBuffer(stream, bytes);
        try
        {
            Raw.MatMulFourBitTransposed(stream.Handle, descriptors, sources, dtype, m, dx.Pointer, dx.LeadingDimension, workspace.Pointer, bytes);
            workspace.Read<byte>("workspace");
            return (dx.Read(), dx.ReadBytes());
        }
        finally
        {
            Array.ForEach(inputs, input => input.Dispose());
        }
    }
}
