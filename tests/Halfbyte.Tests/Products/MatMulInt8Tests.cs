namespace Halfbyte.Tests;

/// <summary>LLM.int8() is within <see cref="Tolerances.Int8"/> of its definition in float64.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class MatMulInt8Tests(string device) : DeviceTests(device)
{
    [Test]
    public void Every_shape(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(0f, 2.5f, 6f)] float threshold)
    {
        foreach ((int n, int k) in Shapes.Weights)
        {
            using var weight = new WeightInt8(Stream, n, k, seed: n + k);
            foreach (int m in Shapes.Rows)
            {
                AssertCloseToReference([weight], m, dtype, threshold);
            }
        }
    }

    [Test]
    public void Real_layers([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(0f, 3f)] float threshold)
    {
        foreach ((int m, int n, int k) in Shapes.Real)
        {
            using var weight = new WeightInt8(Stream, n, k);
            AssertCloseToReference([weight], m, dtype, threshold);
        }
    }

    [Test]
    public void All_columns_and_single_columns_are_outliers([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        using var weight = new WeightInt8(Stream, 37, 130);
        foreach (int m in (int[])[1, 2, 17])
        {
            AssertCloseToReference([weight], m, dtype, 1e-30f);
            foreach (int column in (int[])[0, 63, 64, 127, 129])
            {
                float[] x = Array.ConvertAll(Data.Normal(m, m * 130, dtype), value => Elements.Round(Math.Clamp(value, -2, 2), dtype));
                x[((m - 1) * 130) + column] = -60;
                AssertCloseToReference([weight], m, dtype, 6, x: x);
            }
        }
    }

    [Test]
    public void Several_weights_in_one_call(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(1, 2, 20)] int m, [Values(0f, 2.5f)] float threshold)
    {
        WeightInt8[] weights = [.. Enumerable.Range(0, 5).Select(i => new WeightInt8(Stream, 1 + (i * 13), 100, seed: i))];
        try
        {
            AssertCloseToReference(weights, m, dtype, threshold);
            AssertCloseToReference(weights, m, dtype, threshold, DType.Float16, gap: 3);
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
        using var weight = new WeightInt8(Stream, 45, 70);
        foreach (int m in (int[])[1, 3, 18])
        {
            AssertCloseToReference([weight], m, dtype, 2.5f, bias);
        }
    }

    [Test]
    public void Rows_further_apart_than_they_are_long(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(1, 7, 64)] int gap)
    {
        using var weight = new WeightInt8(Stream, 33, 95);
        foreach (int m in (int[])[1, 2, 5, 17])
        {
            AssertCloseToReference([weight], m, dtype, 2.5f, DType.Float32, gap);
        }
    }

    [Test]
    public void The_sum_of_integers_is_exact_where_float32_is_not()
    {
        // 127 * 127 * 140000 is beyond int32, and beyond what float32 counts; the last element changes it by one.
        const int K = 140_001;
        sbyte[] codes = [.. Enumerable.Repeat((sbyte)127, K - 1), 1];
        float[] x = [.. Enumerable.Repeat(127f, K - 1), 1];
        using TestBuffer deviceCodes = Upload<sbyte>(codes);
        using TestBuffer absmax = Upload<float>([127f]);
        using TestBuffer input = Upload<float>(x);
        using TestBuffer output = Allocate(4);
        var weight = new Int8Weight { Codes = deviceCodes.Pointer, Absmax = absmax.Pointer, Rows = 1, Columns = K, Device = Stream.Device };
        long bytes = Raw.MatMulInt8Workspace(Stream.Handle, [weight], DType.Float32, 1, 0);
        using TestBuffer workspace = Allocate(bytes);
        Raw.MatMulInt8(
            Stream.Handle, [weight], input.Pointer, DType.Float32, 1, K, 0, [new() { Y = output.Pointer, LeadingDimension = 1 }], workspace.Pointer, bytes);
        double expected = (127.0 * 127 * (K - 1)) + 1;
        Assert.That(output.Read<float>()[0], Is.EqualTo(expected).Within(4 * expected / (1 << 24)));
    }

    [Test]
    public void No_weights_and_no_features()
    {
        Raw.MatMulInt8(Stream.Handle, [], 0, DType.Float32, 3, 0, 6, [], 0, 0);
        using var noInput = new WeightInt8(Stream, 5, 0);
        using var noOutput = new WeightInt8(Stream, 0, 5);
        AssertCloseToReference([noInput], 3, DType.Float32, 6, DType.Float32);
        AssertCloseToReference([noOutput], 3, DType.Float32, 6);
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
                using var weight = new WeightInt8(stream, 301, 777);
                byte[] bytes = Multiply(stream, [weight], Data.Normal(m, m * 777, dtype), m, dtype, 2.5f, null, 0)[0].Bytes;
                first ??= bytes;
                Expect.Equal<byte>(bytes, first, $"bytes of y, run {run}");
            });
        }
    }

    [Test]
    public void Large_activations_do_not_overflow_in_between()
    {
        // Activations that float16 cannot hold: bfloat16 and float32 are not taken through it.
        using var weight = new WeightInt8(Stream, 20, 64);
        foreach (DType dtype in (DType[])[DType.Float32, DType.BFloat16])
        {
            AssertCloseToReference([weight], 3, dtype, 0, x: Data.Normal(1, 3 * 64, dtype, scale: 1e6));
            AssertCloseToReference([weight], 3, dtype, 6, x: Data.Normal(1, 3 * 64, dtype, scale: 1e6));
        }
    }

    [Test]
    public void Not_a_number_and_infinity_do_what_the_definition_says(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(0f, 6f)] float threshold)
    {
        using var weight = new WeightInt8(Stream, 40, 130);
        foreach (int m in (int[])[4, 20])
        {
            float[] x = Data.Normal(m, m * 130, dtype);
            x[7] = float.NaN;
            x[130 + 64] = float.PositiveInfinity;
            x[260 + 129] = float.NegativeInfinity;
            AssertCloseToReference([weight], m, dtype, threshold, x: x);
        }
    }

    [Test]
    public void A_row_of_zeros_gives_the_bias()
    {
        using var weight = new WeightInt8(Stream, 20, 64);
        float[] x = Data.Normal(1, 3 * 64);
        x.AsSpan(64, 64).Clear();
        AssertCloseToReference([weight], 3, DType.Float32, 6, DType.Float32, x: x);
    }

    private void AssertCloseToReference(
        WeightInt8[] weights, int m, DType dtype, float threshold, DType? bias = null, int gap = 0, float[]? x = null)
    {
        int k = weights[0].K;
        x ??= Data.Normal(m + k, m * k, dtype);
        (float[] Values, byte[] _)[] results = Multiply(Stream, weights, x, m, dtype, threshold, bias, gap);
        for (int i = 0; i < weights.Length; i++)
        {
            WeightInt8 weight = weights[i];
            Product expected = Product.Int8(x, weight.Codes, weight.Absmax, Bias(weight, bias), m, weight.N, k, threshold);
            Expect.Close(
                results[i].Values, expected, dtype, k, Tolerances.Int8, $"M={m} N={weight.N} K={k} threshold {threshold} {dtype} weight {i}");
        }
    }

    private static float[]? Bias(WeightInt8 weight, DType? dtype) =>
        dtype is null ? null : Data.Normal(weight.N, weight.N, dtype.Value);

    private static (float[] Values, byte[] Bytes)[] Multiply(
        ComputeStream stream, WeightInt8[] weights, float[] x, int m, DType dtype, float threshold, DType? bias, int gap)
    {
        int k = weights[0].K;
        using var input = new Matrix(stream, dtype, m, k, x, gap);
        Matrix[] outputs = [.. weights.Select(weight => new Matrix(stream, dtype, m, weight.N, gap))];
        TestBuffer[] biases = [.. weights.Select(weight =>
            TestBuffer.Upload<byte>(stream, bias is null ? [] : Elements.Encode(Bias(weight, bias), bias.Value)))];
        Int8Weight[] descriptors = [.. weights.Select(weight => weight.Descriptor)];
        ProductOutput[] targets = [.. outputs.Select((output, i) => new ProductOutput
        {
            Y = output.Pointer,
            LeadingDimension = output.LeadingDimension,
            Bias = bias is null ? 0 : biases[i].Pointer,
            BiasDType = bias ?? 0,
        })];
        long bytes = Raw.MatMulInt8Workspace(stream.Handle, descriptors, dtype, m, threshold);
        using var workspace = new TestBuffer(stream, bytes);
        try
        {
            Raw.MatMulInt8(
                stream.Handle, descriptors, input.Pointer, dtype, m, input.LeadingDimension, threshold, targets, workspace.Pointer, bytes);
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
