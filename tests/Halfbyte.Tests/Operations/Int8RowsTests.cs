namespace Halfbyte.Tests;

/// <summary>Row-wise int8 codes, statistics and outlier columns equal the definition.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class Int8RowsTests(string device) : DeviceTests(device)
{
    private static readonly (int Rows, int Cols)[] Shapes =
        [(0, 4), (4, 0), (1, 1), (1, 2), (2, 31), (3, 32), (1, 33), (5, 63), (2, 64), (3, 65), (17, 129), (4, 1000), (65, 257)];

    [Test]
    public void Weights_have_no_outliers([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(0, 3)] int gap)
    {
        foreach ((int rows, int cols) in Shapes)
        {
            AssertEqualsReference(Data.Normal(rows + cols, rows * cols, dtype), dtype, rows, cols, 0, gap);
        }
    }

    [Test]
    public void Activations_have_outliers(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [Values(1e-30f, 0.5f, 2.5f, 6f, float.PositiveInfinity)] float threshold, [Values(0, 5)] int gap)
    {
        foreach ((int rows, int cols) in Shapes)
        {
            AssertEqualsReference(Data.Normal(rows + cols, rows * cols, dtype), dtype, rows, cols, threshold, gap);
        }
    }

    [Test]
    public void An_element_of_exactly_the_threshold_is_an_outlier()
    {
        float[] x = [6, MathF.BitDecrement(6), -6, -5, 1, 2, 3, 4];
        (sbyte[] codes, float[] absmax, long[] columns) = AssertEqualsReference(x, DType.Float32, 2, 4, 6, 0);
        Assert.That(columns, Is.EqualTo(new long[] { 0, 2 }));
        Assert.That(codes, Is.EqualTo(new sbyte[] { 0, 127, 0, -106, 0, 64, 0, 127 }));
        Assert.That(absmax, Is.EqualTo(new[] { MathF.BitDecrement(6), 4f }));
    }

    [Test]
    public void Halves_go_to_the_even_code()
    {
        // absmax 127, so that the product is the element.
        float[] x = [127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -126.5f, MathF.BitIncrement(0.5f)];
        (sbyte[] codes, _, _) = AssertEqualsReference(x, DType.Float32, 1, 8, 0, 0);
        Assert.That(codes, Is.EqualTo(new sbyte[] { 127, 0, 2, 2, 0, -2, -126, 1 }));
    }

    [Test]
    public void Zeros_infinities_not_a_number_and_tiny_rows([Values(0f, 6f)] float threshold)
    {
        float[] x =
        [
            0, -0.0f, 0, 0, 0, 0, 0, 0, 0,
            float.NaN, 1, 2, -3, 0, 1, 1, 1, 1,
            float.PositiveInfinity, 1, -2, 0, 0, 0, 0, 5, 0,
            float.NaN, float.NaN, float.NaN, float.NaN, float.NaN, float.NaN, float.NaN, float.NaN, float.NaN,
            1e-38f, -1e-38f, 1e-39f, 0, 5e-39f, -0.0f, 0, 0, 0,
            float.Epsilon, -float.Epsilon, 0, 0, 0, 0, 0, 0, 0,
        ];
        foreach (DType dtype in (DType[])[DType.Float32, DType.BFloat16])
        {
            AssertEqualsReference(Array.ConvertAll(x, value => Elements.Round(value, dtype)), dtype, 6, 9, threshold, 2);
        }
    }

    [Test]
    public void Every_16_bit_pattern([Values(DType.Float16, DType.BFloat16)] DType dtype, [Values(0f, 6f)] float threshold)
    {
        float[] patterns = [.. Enumerable.Range(0, 65536).Select(i => Elements.FromBits((ushort)(i * 4099 % 65536), dtype)).Where(float.IsFinite)];
        int cols = 64;
        int rows = patterns.Length / cols;
        AssertEqualsReference(patterns[..(rows * cols)], dtype, rows, cols, threshold, 0);
    }

    [Test]
    public void Any_number_of_threads()
    {
        float[] x = Data.Normal(12, 300 * 515, DType.BFloat16, scale: 2);
        WithThreads(stream => AssertEqualsReference(x, DType.BFloat16, 300, 515, 6, 1, stream));
    }

    [Test]
    public void Values_are_codes_times_statistics([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        foreach ((int rows, int cols) in Shapes)
        {
            ReferenceInt8.Rows q = ReferenceInt8.Quantize(Data.Normal(rows, rows * cols, scale: 100), rows, cols, 0);
            float[] expected = Array.ConvertAll(ReferenceInt8.Dequantize(q.Codes, q.Absmax, cols), value => Elements.Round(value, dtype));
            using TestBuffer codes = Upload<sbyte>(q.Codes);
            using TestBuffer absmax = Upload<float>(q.Absmax);
            using TestBuffer output = Allocate(expected.Length * dtype.SizeInBytes());
            var weight = new Int8Weight { Codes = codes.Pointer, Absmax = absmax.Pointer, Rows = rows, Columns = cols, Device = Stream.Device };
            Raw.DequantizeInt8(Stream.Handle, weight, output.Pointer, dtype);
            Expect.Bits(Elements.Decode(output.Read<byte>(), dtype), expected, $"[{rows}, {cols}] {dtype}");
        }
    }

    [Test]
    public void Every_code_with_every_kind_of_statistic([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        sbyte[] codes = [.. Enumerable.Range(-128, 256).Select(code => (sbyte)code)];
        float[] statistics = [1, 0.3f, 0, float.Epsilon, 1e-39f, 65504, 70000, float.MaxValue, float.PositiveInfinity, float.NaN];
        sbyte[] all = [.. statistics.SelectMany(_ => codes)];
        float[] expected = Array.ConvertAll(ReferenceInt8.Dequantize(all, statistics, 256), value => Elements.Round(value, dtype));
        using TestBuffer deviceCodes = Upload<sbyte>(all);
        using TestBuffer absmax = Upload<float>(statistics);
        using TestBuffer output = Allocate(expected.Length * dtype.SizeInBytes());
        var weight = new Int8Weight { Codes = deviceCodes.Pointer, Absmax = absmax.Pointer, Rows = statistics.Length, Columns = 256, Device = Stream.Device };
        Raw.DequantizeInt8(Stream.Handle, weight, output.Pointer, dtype);
        Expect.Bits(Elements.Decode(output.Read<byte>(), dtype), expected, $"{dtype}");
    }

    private (sbyte[] Codes, float[] Absmax, long[] Columns) AssertEqualsReference(
        float[] values, DType dtype, int rows, int cols, float threshold, int gap, ComputeStream? stream = null)
    {
        stream ??= Stream;
        ReferenceInt8.Rows expected = ReferenceInt8.Quantize(values, rows, cols, threshold);
        using var input = new Matrix(stream, dtype, rows, cols, values, gap);
        using var codes = new TestBuffer(stream, rows * cols);
        using var absmax = new TestBuffer(stream, rows * sizeof(float));
        using var columns = new TestBuffer(stream, cols * sizeof(long));
        using var count = new TestBuffer(stream, sizeof(long));
        bool split = threshold > 0;
        long bytes = Raw.QuantizeInt8RowsWorkspace(stream.Handle, rows, cols, threshold);
        using var workspace = new TestBuffer(stream, bytes);
        Raw.QuantizeInt8Rows(
            stream.Handle, input.Pointer, dtype, rows, cols, cols + gap, threshold, codes.Pointer, absmax.Pointer,
            split ? columns.Pointer : 0, split ? count.Pointer : 0, workspace.Pointer, bytes);
        workspace.Read<byte>("workspace");
        string what = $"[{rows}, {cols}] ld={cols + gap} {dtype} threshold {threshold}";
        sbyte[] actual = codes.Read<sbyte>("codes");
        Expect.Bits(absmax.Read<float>("absmax"), expected.Absmax, $"{what}: absmax");
        Expect.Equal<sbyte>(actual, expected.Codes, $"{what}: codes", at => $"(element {values[at]:R}, absmax {expected.Absmax[at / cols]:R})");
        long[] found = [];
        if (split && rows > 0 && cols > 0)
        {
            found = columns.Read<long>("outlier columns")[..expected.OutlierColumns.Length];
            Assert.That(count.Read<long>(), Is.EqualTo(new long[] { expected.OutlierColumns.Length }), $"{what}: outlier count");
            Expect.Equal<long>(found, expected.OutlierColumns, $"{what}: outlier columns");
        }

        return (actual, expected.Absmax, found);
    }
}
