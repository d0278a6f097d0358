namespace Halfbyte.Tests;

/// <summary>Blockwise 8-bit codes and values equal the definition bit for bit.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class BlockwiseTests(string device) : DeviceTests(device)
{
    private static readonly int[] Sizes = [0, 1, 2, 31, 32, 33, 63, 64, 65, 1000, 4097];

    private static float[] Signed => Blockwise.DynamicMapSigned.ToArray();

    [Test]
    public void Any_size_in_any_block(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [ValueSource(typeof(Data), nameof(Data.BlockSizes))] int blockSize)
    {
        foreach (int n in Sizes)
        {
            AssertEqualsReference(Data.Normal(n, n, dtype), dtype, blockSize, null);
        }
    }

    [Test]
    public void Unsigned_and_odd_codebooks([Range(1, 5)] int seed)
    {
        var random = new Random(seed);
        float[] values = Data.Normal(seed, 3000);
        AssertEqualsReference(Array.ConvertAll(values, Math.Abs), DType.Float32, 64, Blockwise.DynamicMapUnsigned.ToArray());
        float[] table = [.. Enumerable.Range(0, 256).Select(_ => (float)(random.NextDouble() * 2 - 1)).Order()];
        table.AsSpan(100, 9).Fill(table[100]); // runs of equal values
        AssertEqualsReference(values, DType.Float32, 64, table);
        AssertEqualsReference(values, DType.Float32, 64, [-0.5f, .. Enumerable.Repeat(0.25f, 255)]);
    }

    [Test]
    public void Ties_go_to_the_even_code()
    {
        foreach (float[] table in (float[][])[Signed, Blockwise.DynamicMapUnsigned.ToArray(), [.. Enumerable.Range(0, 256).Select(i => (i - 128) / 128f)]])
        {
            List<float> values = [];
            for (int i = 0; i < 255; i++)
            {
                float middle = (table[i] + table[i + 1]) * 0.5f;
                values.AddRange([1, middle, MathF.BitIncrement(middle), MathF.BitDecrement(middle), table[i], .. new float[27]]);
            }

            AssertEqualsReference([.. values], DType.Float32, 32, table);
        }

        // i / 128 - 1: the middle of codes 200 and 201 is exact, and 200 is even.
        float[] linear = [.. Enumerable.Range(0, 256).Select(i => (i - 128) / 128f)];
        Assert.That(Codes([1, 72.5f / 128, 73.5f / 128], 32, linear), Is.EqualTo(new byte[] { 255, 200, 202 }));
    }

    [Test]
    public void Zeros_infinities_and_not_a_number([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        float[] normal = Data.Normal(3, 32, dtype);
        float[] values =
        [
            .. new float[32],
            .. Enumerable.Repeat(float.NaN, 32),
            .. normal[..31], float.PositiveInfinity,
            float.NaN, .. normal[1..],
            .. normal[..30], -0.0f, 0,
            .. Data.Normal(4, 32, dtype).Select(v => Elements.Round(v * 1e-38, dtype)),
        ];
        AssertEqualsReference(values, dtype, 32, null);
        AssertEqualsReference([float.Epsilon, -float.Epsilon, 0, 1e-44f], DType.Float32, 32, null);
    }

    [Test]
    public void Every_16_bit_pattern([Values(DType.Float16, DType.BFloat16)] DType dtype)
    {
        float[] patterns = [.. Enumerable.Range(0, 65536).Select(i => Elements.FromBits((ushort)(i * 4099 % 65536), dtype))];
        AssertEqualsReference(patterns, dtype, 64, null);
        AssertEqualsReference([.. patterns.Where(float.IsFinite)], dtype, 256, null);
    }

    [Test]
    public void Spans_and_buffers_are_two_doors_to_the_same()
    {
        float[] values = Data.Normal(8, 1000);
        (byte[] expected, float[] statistics) = ReferenceBlockwise.Quantize(values, 64, Signed);
        byte[] codes = new byte[1000];
        float[] absmax = new float[16];
        float[] restored = new float[1000];
        Blockwise.Quantize<float>(Stream, values, 64, codes, absmax);
        Blockwise.Dequantize<float>(Stream, codes, absmax, 64, restored);
        Expect.Equal<byte>(codes, expected, "codes");
        Expect.Bits(absmax, statistics, "absmax");
        Expect.Bits(restored, ReferenceBlockwise.Dequantize(expected, statistics, 64, Signed), "values");

        using DeviceBuffer input = Stream.Upload<float>(values);
        using DeviceBuffer deviceCodes = Stream.Allocate(1000);
        using DeviceBuffer deviceAbsmax = Stream.Allocate(64);
        using DeviceBuffer deviceTable = Stream.Upload<float>(Signed);
        Blockwise.Quantize(Stream, input, DType.Float32, 1000, 64, deviceCodes, deviceAbsmax, deviceTable);
        Blockwise.Dequantize(Stream, deviceCodes, deviceAbsmax, 1000, 64, input, DType.Float32, deviceTable);
        float[] again = new float[1000];
        Stream.Download(input, again.AsSpan());
        Expect.Bits(again, restored, "values by way of buffers");
    }

    private byte[] Codes(float[] values, int blockSize, float[] table)
    {
        byte[] codes = new byte[values.Length];
        Blockwise.Quantize<float>(Stream, values, blockSize, codes, new float[(values.Length + blockSize - 1) / blockSize], table);
        return codes;
    }

    private void AssertEqualsReference(float[] values, DType dtype, int blockSize, float[]? table)
    {
        (byte[] codes, float[] statistics) = ReferenceBlockwise.Quantize(values, blockSize, table ?? Signed);
        float[] expected = Array.ConvertAll(
            ReferenceBlockwise.Dequantize(codes, statistics, blockSize, table ?? Signed), value => Elements.Round(value, dtype));
        using TestBuffer input = Upload<byte>(Elements.Encode(values, dtype));
        using TestBuffer codebook = Upload<float>(table ?? []);
        using TestBuffer deviceCodes = Allocate(codes.Length);
        using TestBuffer absmax = Allocate(statistics.Length * sizeof(float));
        using TestBuffer output = Allocate(values.Length * dtype.SizeInBytes());
        nint tablePointer = table is null ? 0 : codebook.Pointer;
        Raw.QuantizeBlockwise(Stream.Handle, input.Pointer, dtype, values.Length, blockSize, tablePointer, deviceCodes.Pointer, absmax.Pointer);
        Raw.DequantizeBlockwise(Stream.Handle, deviceCodes.Pointer, absmax.Pointer, values.Length, blockSize, tablePointer, output.Pointer, dtype);
        string what = $"n={values.Length} bs={blockSize} {dtype}";
        Expect.Bits(absmax.Read<float>(), statistics, $"{what}: absmax");
        Expect.Equal<byte>(deviceCodes.Read<byte>(), codes, $"{what}: codes", at => $"(element {values[at]:R}, absmax {statistics[at / blockSize]:R})");
        Expect.Bits(Elements.Decode(output.Read<byte>(), dtype), expected, $"{what}: values");
    }
}
