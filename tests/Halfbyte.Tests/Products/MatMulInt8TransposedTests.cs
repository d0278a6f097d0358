namespace Halfbyte.Tests;

/// <summary>dx = sum of dy_i * W_i with int8 weights is within <see cref="Tolerances.FourBit"/> of its float64 value: no activations are quantized.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class MatMulInt8TransposedTests(string device) : DeviceTests(device)
{
    [Test]
    public void Every_shape([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        foreach ((int n, int k) in Shapes.Weights)
        {
            using var weight = new WeightInt8(Stream, n, k, seed: n + k);
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
            using var weight = new WeightInt8(Stream, n, k);
            AssertCloseToReference([weight], m, dtype);
        }
    }

    [Test]
    public void Several_weights_add_up([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(1, 2, 20)] int m)
    {
        WeightInt8[] weights = [.. Enumerable.Range(0, 5).Select(i => new WeightInt8(Stream, 1 + (i * 13), 100, seed: i))];
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
        using var weight = new WeightInt8(Stream, 0, 6);
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
                using var weight = new WeightInt8(stream, 301, 777);
                byte[] bytes = Multiply(stream, [weight], [Data.Normal(m, m * 301, dtype)], m, dtype, 0).Bytes;
                first ??= bytes;
                Expect.Equal<byte>(bytes, first, $"bytes of dx, run {run}");
            });
        }
    }

    private void AssertCloseToReference(WeightInt8[] weights, int m, DType dtype, int gap = 0)
    {
        int k = weights[0].K;
        float[][] gradients = [.. weights.Select(weight => Data.Normal(m + weight.N, m * weight.N, dtype))];
        float[] actual = Multiply(Stream, weights, gradients, m, dtype, gap).Values;
        Product? expected = null;
        for (int i = 0; i < weights.Length; i++)
        {
            expected = Product.Backward(gradients[i], weights[i].Values, m, weights[i].N, k, expected);
        }

        int terms = weights.Sum(weight => weight.N);
        Expect.Close(actual, expected!, dtype, terms, Tolerances.FourBit, $"M={m} N={terms} K={k} {dtype}");
    }

    private static (float[] Values, byte[] Bytes) Multiply(
        ComputeStream stream, WeightInt8[] weights, float[][] gradients, int m, DType dtype, int gap)
    {
        int k = weights[0].K;
        Matrix[] inputs = [.. weights.Select((weight, i) => new Matrix(stream, dtype, m, weight.N, gradients[i], gap))];
        using var dx = new Matrix(stream, dtype, m, k, gap);
        Int8Weight[] descriptors = [.. weights.Select(weight => weight.Descriptor)];
        ProductGradient[] sources = [.. inputs.Select(input => new ProductGradient { Dy = input.Pointer, LeadingDimension = input.LeadingDimension })];
        long bytes = Raw.MatMulInt8TransposedWorkspace(stream.Handle, descriptors, dtype, m);
        using var workspace = new TestBuffer(stream, bytes);
        try
        {
            Raw.MatMulInt8Transposed(stream.Handle, descriptors, sources, dtype, m, dx.Pointer, dx.LeadingDimension, workspace.Pointer, bytes);
            workspace.Read<byte>("workspace");
            return (dx.Read(), dx.ReadBytes());
        }
        finally
        {
            Array.ForEach(inputs, input => input.Dispose());
        }
    }
}
