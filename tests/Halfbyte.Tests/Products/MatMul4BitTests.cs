namespace Halfbyte.Tests;

/// <summary>y = x * W^T + bias with 4-bit weights is within <see cref="Tolerances.FourBitOn"/> of its float64 value.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class MatMul4BitTests(string device) : DeviceTests(device)
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
            foreach (Format4Bit format in (Format4Bit[])[new(QuantType.Nf4, 64, true), new(QuantType.Fp4, 256, false)])
            {
                using var weight = new Weight4Bit(Stream, n, k, format);
                AssertCloseToReference([weight], m, dtype);
            }
        }
    }

    [Test]
    public void Every_block_size([ValueSource(typeof(Data), nameof(Data.BlockSizes))] int blockSize, [Values] bool nested)
    {
        foreach ((int n, int k) in (ReadOnlySpan<(int, int)>)[(7, 4100), (20, 130), (5, 32)])
        {
            using var weight = new Weight4Bit(Stream, n, k, new(QuantType.Nf4, blockSize, nested));
            AssertCloseToReference([weight], 1, DType.BFloat16);
            AssertCloseToReference([weight], 6, DType.Float32);
        }
    }

    [Test]
    public void Every_nested_block_size(
        [ValueSource(typeof(Data), nameof(Data.BlockSizes))] int nestedBlockSize, [Values(1, 3, 40, 70)] int m, [Values(1030, 1040)] int k)
    {
        using var weight = new Weight4Bit(Stream, 70, k, new(QuantType.Nf4, 32, true, nestedBlockSize));
        AssertCloseToReference([weight], m, DType.BFloat16);
    }

    [Test]
    public void Several_weights_of_any_format_in_one_call(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(1, 2, 7, 20)] int m)
    {
        Weight4Bit[] weights = [.. Format4Bit.All.Select((format, i) => new Weight4Bit(Stream, 1 + (i * 13), 100, format, seed: i))];
        try
        {
            AssertCloseToReference(weights, m, dtype);
            AssertCloseToReference(weights, m, dtype, bias: DType.Float32, gap: 3);
        }
        finally
        {
            Array.ForEach(weights, weight => weight.Dispose());
        }
    }

    [Test]
    public void Bias_of_any_type(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [ValueSource(typeof(Data), nameof(Data.DTypes))] DType bias)
    {
        using var weight = new Weight4Bit(Stream, 45, 70, new(QuantType.Nf4, 64, false));
        foreach (int m in (int[])[1, 3, 18])
        {
            AssertCloseToReference([weight], m, dtype, bias);
        }
    }

    [Test]
    public void Rows_further_apart_than_they_are_long(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(1, 7, 64)] int gap)
    {
        using var weight = new Weight4Bit(Stream, 33, 95, new(QuantType.Nf4, 32, true));
        foreach (int m in (int[])[1, 2, 5, 17])
        {
            AssertCloseToReference([weight], m, dtype, DType.BFloat16, gap);
        }
    }

    [Test]
    public void No_weights_and_no_features()
    {
        Raw.MatMulFourBit(Stream.Handle, [], 0, DType.Float32, 3, 0, [], 0, 0);
        using var noInput = new Weight4Bit(Stream, 5, 0, new(QuantType.Nf4, 64, false));
        using var noOutput = new Weight4Bit(Stream, 0, 5, new(QuantType.Nf4, 64, false));
        AssertCloseToReference([noInput], 3, DType.Float32, DType.Float32);
        AssertCloseToReference([noOutput], 3, DType.Float32);
    }

    [Test]
    public void The_same_bits_every_time_and_with_any_number_of_threads(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(1, 4, 31)] int m)
    {
        byte[]? first = null;
        for (int run = 0; run < 2; run++)
        {
            WithThreads(stream =>
            {
                using var weight = new Weight4Bit(stream, 301, 777, new(QuantType.Nf4, 64, true));
                byte[] bytes = Multiply(stream, [weight], Data.Normal(m, m * 777, dtype), m, dtype, null, 0)[0].Bytes;
                first ??= bytes;
                Expect.Equal<byte>(bytes, first, $"bytes of y, run {run}");
            });
        }
    }

    [Test]
    public void At_least_as_accurate_as_to_dequantize_and_multiply([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        const int M = 4, N = 96, K = 2048;
        using var weight = new Weight4Bit(Stream, N, K, new(QuantType.Nf4, 64, false));
        float[] x = Data.Normal(1, M * K, dtype);
        float[] y = Multiply(Stream, [weight], x, M, dtype, null, 0)[0].Values;

        // What a framework does: the weight rounded to the type of the activations, the product summed exactly.
        double[] rounded = Array.ConvertAll(weight.Values, value => (double)Elements.Round((float)value, dtype));
        Product dequantized = Product.Forward(x, rounded, null, M, N, K);
        Product exact = Product.Forward(x, weight.Values, null, M, N, K);
        double ours = 0;
        double theirs = 0;
        for (int i = 0; i < y.Length; i++)
        {
            ours += Math.Pow(y[i] - exact.Values[i], 2);
            theirs += Math.Pow(Elements.Round(dequantized.Values[i], dtype) - exact.Values[i], 2);
        }

        // In float32 the rounded weight is the weight, and the exact sum cannot be beaten: there the bound is the accumulation.
        double allowance = dtype == DType.Float32 ? Math.Pow(64.0 / (1 << 24), 2) * exact.Magnitudes.Sum(v => v * v) : 0;
        Assert.That(ours, Is.LessThanOrEqualTo(theirs + allowance));
    }

    [Test]
    public void Not_a_number_and_infinity_stay_in_their_row([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        using var weight = new Weight4Bit(Stream, 40, 130, new(QuantType.Nf4, 64, false));
        foreach (int m in (int[])[3, 20])
        {
            float[] x = Data.Normal(m, m * 130, dtype);
            x[7] = float.NaN;
            x[130 + 64] = float.PositiveInfinity;
            x[260 + 129] = float.NegativeInfinity;
            AssertCloseToReference([weight], m, dtype, x: x);
        }
    }

    [Test]
    public void Tiny_activations_are_not_flushed_to_zero([Values(DType.Float32, DType.BFloat16)] DType dtype)
    {
        using var weight = new Weight4Bit(Stream, 20, 100, new(QuantType.Nf4, 64, false), values: Data.Normal(3, 2000));
        foreach (int m in (int[])[1, 9])
        {
            AssertCloseToReference([weight], m, dtype, x: Data.Normal(2, m * 100, dtype, scale: 1e-39));
        }
    }

    [Test]
    public void Results_beyond_float16_become_infinite()
    {
        using var weight = new Weight4Bit(Stream, 9, 64, new(QuantType.Nf4, 64, false), values: [.. Enumerable.Repeat(1f, 9 * 64)]);
        float[] x = [.. Enumerable.Repeat(60000f, 64), .. Enumerable.Repeat(-60000f, 64), .. Enumerable.Repeat(1f, 64)];
        AssertCloseToReference([weight], 3, DType.Float16, x: x);
    }

    private void AssertCloseToReference(
        Weight4Bit[] weights, int m, DType dtype, DType? bias = null, int gap = 0, float[]? x = null)
    {
        int k = weights[0].K;
        x ??= Data.Normal(m + k, m * k, dtype);
        (float[] Values, byte[] _)[] results = Multiply(Stream, weights, x, m, dtype, bias, gap);
        for (int i = 0; i < weights.Length; i++)
        {
            Weight4Bit weight = weights[i];
            Product expected = Product.Forward(x, weight.Values, Bias(weight, bias), m, weight.N, k);
            Expect.Close(
                results[i].Values, expected, dtype, k, Tolerances.FourBitOn(Stream.Device), $"M={m} N={weight.N} K={k} {weight.Format} {dtype} weight {i}");
        }
    }

    private static float[]? Bias(Weight4Bit weight, DType? dtype) =>
        dtype is null ? null : Data.Normal(weight.N, weight.N, dtype.Value);

    private static (float[] Values, byte[] Bytes)[] Multiply(
        ComputeStream stream, Weight4Bit[] weights, float[] x, int m, DType dtype, DType? bias, int gap)
    {
        int k = weights[0].K;
        using var input = new Matrix(stream, dtype, m, k, x, gap);
        Matrix[] outputs = [.. weights.Select(weight => new Matrix(stream, dtype, m, weight.N, gap))];
        TestBuffer[] biases = [.. weights.Select(weight =>
            TestBuffer.Upload<byte>(stream, bias is null ? [] : Elements.Encode(Bias(weight, bias), bias.Value)))];
        FourBitWeight[] descriptors = [.. weights.Select(weight => weight.Descriptor)];
        ProductOutput[] targets = [.. outputs.Select((output, i) => new ProductOutput
        {
            Y = output.Pointer,
            LeadingDimension = output.LeadingDimension,
            Bias = bias is null ? 0 : biases[i].Pointer,
            BiasDType = bias ?? 0,
        })];
        long bytes = Raw.MatMulFourBitWorkspace(stream.Handle, descriptors, dtype, m);
        using var workspace = new TestBuffer(stream, bytes);
        try
        {
            Raw.MatMulFourBit(stream.Handle, descriptors, input.Pointer, dtype, m, input.LeadingDimension, targets, workspace.Pointer, bytes);
            workspace.Read<byte>("workspace");
            return [.. outputs.Select(output => (output.Read(), output.ReadBytes()))];
        }
        finally
        {
            Array.ForEach(outputs, output => output.Dispose());
            Array.ForEach(biases, buffer => buffer.Dispose());
        }
    }
}
