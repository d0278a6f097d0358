namespace Halfbyte.Tests;

/// <summary>Codes and statistics equal the definition bit for bit: every format, block size, type, size and oddity.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class Quantize4BitTests(string device) : DeviceTests(device)
{
    private static readonly int[] Sizes = [0, 1, 2, 31, 32, 33, 63, 64, 65, 127, 129, 4095, 4096, 4097, 9001];

    private static QuantType[] QuantTypes => [QuantType.Nf4, QuantType.Fp4, QuantType.Custom];

    [Test]
    public void Any_size_in_any_block(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype,
        [ValueSource(typeof(Data), nameof(Data.BlockSizes))] int blockSize,
        [ValueSource(nameof(QuantTypes))] QuantType quantType)
    {
        foreach (int n in Sizes)
        {
            AssertEqualsReference(Data.Normal(n, n, dtype, scale: 3), dtype, blockSize, quantType);
        }
    }

    [Test]
    public void Zeros_infinities_and_not_a_number(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [ValueSource(nameof(QuantTypes))] QuantType quantType)
    {
        float[] normal = Data.Normal(7, 32, dtype);
        float[][] blocks =
        [
            new float[32],
            Filled(-0.0f),
            Filled(float.NaN),
            Filled(float.PositiveInfinity),
            [.. normal[..5], float.NaN, .. normal[6..]],
            [.. normal[..31], float.NegativeInfinity],
            [.. normal[..3], 0, -0.0f, .. normal[5..]],
            [float.NaN, .. new float[31]],
            [float.PositiveInfinity, float.NegativeInfinity, float.NaN, 0, .. normal[4..]],
            [.. new float[31], 1],
            [.. new float[31], -1],
            normal,
        ];
        AssertEqualsReference([.. blocks.SelectMany(block => block)], dtype, 32, quantType);
        AssertEqualsReference([.. blocks.SelectMany(block => block)], dtype, 128, quantType);
    }

    [Test]
    public void Reciprocals_that_overflow([ValueSource(nameof(QuantTypes))] QuantType quantType)
    {
        // 1 / 2^-128 is the first reciprocal beyond float32; 2^-149 the smallest number there is.
        foreach (float absmax in (float[])[float.Epsilon, 1e-42f, MathF.ScaleB(1, -129), MathF.ScaleB(1, -128), MathF.BitIncrement(MathF.ScaleB(1, -128)), MathF.ScaleB(1, -127), MathF.ScaleB(1, -126)])
        {
            float[] block = [absmax, -absmax, absmax / 2, -absmax / 2, 0, -0.0f, .. Data.Normal(3, 26, scale: absmax / 8.0)];
            AssertEqualsReference(block, DType.Float32, 32, quantType);
            AssertEqualsReference(Array.ConvertAll(block, value => Elements.Round(value, DType.BFloat16)), DType.BFloat16, 32, quantType);
        }
    }

    [Test]
    public void Largest_numbers([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [ValueSource(nameof(QuantTypes))] QuantType quantType)
    {
        float largest = dtype switch { DType.Float32 => float.MaxValue, DType.Float16 => 65504, _ => (float)BFloat16.MaxValue };
        float[] values = Data.Normal(11, 64, dtype, scale: largest / 8.0);
        values[9] = -largest;
        values[40] = largest;
        AssertEqualsReference(values, dtype, 32, quantType);
    }

    [Test]
    public void Ties_at_every_threshold([ValueSource(nameof(QuantTypes))] QuantType quantType)
    {
        // Blocks with the statistic 1, so that t is the element itself.
        float[] thresholds = quantType == QuantType.Fp4
            ? [.. ReferenceTables.Fp4Thresholds.SelectMany(t => (float[])[t.Above, -t.Above])]
            : Reference4Bit.Midpoints(Reference4Bit.Table(quantType, Data.CustomCodebook));
        List<float> values = [];
        foreach (float threshold in thresholds.Where(t => Math.Abs(t) < 1))
        {
            values.AddRange([1, threshold, MathF.BitIncrement(threshold), MathF.BitDecrement(threshold), .. new float[28]]);
        }

        AssertEqualsReference([.. values], DType.Float32, 32, quantType);
    }

    [Test]
    public void A_tie_goes_down_in_nf4_and_to_the_smaller_magnitude_in_fp4()
    {
        float middle = Reference4Bit.Midpoints(ReferenceTables.Nf4)[9];
        Assert.That(CodesOf([1, middle, MathF.BitIncrement(middle), 0], QuantType.Nf4), Is.EqualTo(new byte[] { 15, 9, 10, 7 }));
        Assert.That(CodesOf([1, 0.4166667f, -0.4166667f, -0.0f], QuantType.Fp4), Is.EqualTo(new byte[] { 3, 4, 12, 0 }));
        Assert.That(CodesOf([1, -0.001f, float.NaN, -1], QuantType.Fp4), Is.EqualTo(new byte[] { 3, 8, 0, 11 }));
    }

    [Test]
    public void Every_16_bit_pattern(
        [Values(DType.Float16, DType.BFloat16)] DType dtype, [ValueSource(nameof(QuantTypes))] QuantType quantType)
    {
        float[] patterns = [.. Enumerable.Range(0, 65536).Select(bits => Elements.FromBits((ushort)bits, dtype))];

        // In order: neighbours share a block, every element is near its statistic.
        AssertEqualsReference(patterns, dtype, 64, quantType);

        // Strided by a number prime to 65536: a block has all magnitudes. Once more without what makes statistics infinite.
        float[] mixed = [.. Enumerable.Range(0, 65536).Select(i => patterns[i * 4099 % 65536])];
        AssertEqualsReference(mixed, dtype, 32, quantType);
        AssertEqualsReference([.. mixed.Where(float.IsFinite)], dtype, 256, quantType);

        // Around 1: every pattern up to 1 is its own t.
        float[] small = [.. patterns.Where(value => Math.Abs(value) <= 1)];
        AssertEqualsReference([.. small.Chunk(31).SelectMany(chunk => (float[])[1, .. chunk])], dtype, 32, quantType);
    }

    [Test]
    public void Any_ascending_codebook([Range(1, 20)] int seed)
    {
        var random = new Random(seed);
        float[] codebook = [.. Enumerable.Range(0, 16).Select(_ => (float)(random.NextDouble() * 2 - 1)).Order()];
        codebook[seed % 15] = codebook[(seed % 15) + 1]; // equal neighbours: the lower code is never used
        float[] values = Data.Normal(seed, 1000);
        AssertEqualsReference(values, DType.Float32, 64, QuantType.Custom, codebook);
        AssertEqualsReference(values[..999], DType.Float32, 64, QuantType.Custom, codebook);
    }

    [Test]
    public void A_large_tensor_has_the_same_bits_with_any_number_of_threads()
    {
        const int N = (1 << 19) + 37;
        float[] values = Data.Normal(5, N, DType.BFloat16);
        WithThreads(stream =>
        {
            foreach (QuantType quantType in (QuantType[])[QuantType.Nf4, QuantType.Fp4])
            {
                AssertEqualsReference(values, DType.BFloat16, 64, quantType, stream: stream);
            }
        });
    }

    private byte[] CodesOf(float[] block, QuantType quantType)
    {
        using TestBuffer input = Upload<float>(block);
        using TestBuffer packed = Allocate((block.Length + 1) / 2);
        using TestBuffer absmax = Allocate(4);
        Raw.QuantizeFourBit(Stream.Handle, input.Pointer, DType.Float32, block.Length, 32, quantType, [], packed.Pointer, absmax.Pointer);
        return [.. packed.Read<byte>().SelectMany(pair => (byte[])[(byte)(pair >> 4), (byte)(pair & 15)])];
    }

    private void AssertEqualsReference(
        float[] values, DType dtype, int blockSize, QuantType quantType, float[]? codebook = null, ComputeStream? stream = null)
    {
        stream ??= Stream;
        codebook = quantType == QuantType.Custom ? codebook ?? Data.CustomCodebook : null;
        (byte[] codes, float[] statistics) = Reference4Bit.Quantize(values, blockSize, quantType, codebook);
        using TestBuffer input = TestBuffer.Upload<byte>(stream, Elements.Encode(values, dtype));
        using var packed = new TestBuffer(stream, (values.Length + 1) / 2);
        using var absmax = new TestBuffer(stream, statistics.Length * sizeof(float));
        Raw.QuantizeFourBit(
            stream.Handle, input.Pointer, dtype, values.Length, blockSize, quantType, codebook, packed.Pointer, absmax.Pointer);
        string what = $"n={values.Length} bs={blockSize} {dtype} {quantType}";
        Expect.Bits(absmax.Read<float>("absmax"), statistics, $"{what}: absmax");
        Expect.Equal<byte>(
            packed.Read<byte>("packed"),
            Reference4Bit.Pack(codes, quantType, codebook),
            $"{what}: packed",
            at => $"(elements {string.Join(", ", values.Skip(2 * at).Take(2).Select(v => v.ToString("R")))}, absmax {statistics[2 * at / blockSize]:R})");
    }

    private static float[] Filled(float value)
    {
        float[] block = new float[32];
        block.AsSpan().Fill(value);
        return block;
    }
}
