namespace Halfbyte.Tests;

/// <summary>Values equal table times statistic, rounded once, bit for bit.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class Dequantize4BitTests(string device) : DeviceTests(device)
{
    private static Format4Bit[] Formats => Format4Bit.All;

    [Test]
    public void Any_shape(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [ValueSource(nameof(Formats))] Format4Bit format)
    {
        foreach ((int n, int k) in (ReadOnlySpan<(int, int)>)[(0, 5), (5, 0), (1, 1), (1, 2), (1, 31), (3, 33), (7, 63), (1, 64), (1, 65), (129, 65), (5, 1000), (33, 513)])
        {
            using var weight = new Weight4Bit(Stream, n, k, format, seed: n + k);
            AssertEqualsReference(weight, dtype);
        }
    }

    [Test]
    public void Every_block_size([ValueSource(typeof(Data), nameof(Data.BlockSizes))] int blockSize, [Values] bool nested)
    {
        using var weight = new Weight4Bit(Stream, 3, 5001, new(QuantType.Nf4, blockSize, nested));
        foreach (DType dtype in Data.DTypes)
        {
            AssertEqualsReference(weight, dtype);
        }
    }

    [Test]
    public void Every_nested_block_size([ValueSource(typeof(Data), nameof(Data.BlockSizes))] int nestedBlockSize)
    {
        using var weight = new Weight4Bit(Stream, 30, 5001, new(QuantType.Nf4, 32, true, nestedBlockSize));
        AssertEqualsReference(weight, DType.Float32);
    }

    [Test]
    public void Statistics_that_are_not_finite_tiny_or_huge([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        float[] statistics = [float.NaN, float.PositiveInfinity, float.Epsilon, 1e-39f, 1e-8f, 6e-8f, 65504, 65520, 1e6f, float.MaxValue, 0, -0.0f, -2];
        byte[] packed = new byte[16 * statistics.Length];
        for (int i = 0; i < packed.Length; i++)
        {
            packed[i] = (byte)((2 * i % 16 << 4) | (((2 * i) + 1) % 16));
        }

        foreach (QuantType quantType in (QuantType[])[QuantType.Nf4, QuantType.Fp4])
        {
            float[] table = Reference4Bit.Table(quantType);
            float[] expected = [.. Enumerable.Range(0, 32 * statistics.Length).Select(i => Elements.Round(table[i % 16] * statistics[i / 32], dtype))];
            using TestBuffer codes = Upload<byte>(packed);
            using TestBuffer absmax = Upload<float>(statistics);
            using TestBuffer output = Allocate(expected.Length * dtype.SizeInBytes());
            var weight = new FourBitWeight
            {
                Packed = codes.Pointer,
                Absmax = absmax.Pointer,
                Rows = 1,
                Columns = expected.Length,
                BlockSize = 32,
                QuantType = quantType,
                Device = Stream.Device,
            };
            Raw.DequantizeFourBit(Stream.Handle, weight, output.Pointer, dtype);
            Expect.Bits(Elements.Decode(output.Read<byte>(), dtype), expected, $"{quantType} {dtype}");
        }
    }

    [Test]
    public void A_codebook_of_any_order_replaces_the_table_of_the_format()
    {
        float[] codebook = [3, -1, 0.5f, 7, -2, 0, 1e-3f, -8, 9, 10, -11, 12, 13, 14, -15, 16];
        byte[] packed = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF];
        using TestBuffer codes = Upload<byte>(packed);
        using TestBuffer absmax = Upload<float>([2]);
        using TestBuffer table = Upload<float>(codebook);
        foreach (QuantType quantType in (QuantType[])[QuantType.Nf4, QuantType.Fp4, QuantType.Custom])
        {
            using TestBuffer output = Allocate(64);
            var weight = new FourBitWeight
            {
                Packed = codes.Pointer,
                Absmax = absmax.Pointer,
                Codebook = table.Pointer,
                Rows = 1,
                Columns = 16,
                BlockSize = 32,
                QuantType = quantType,
                Device = Stream.Device,
            };
            Raw.DequantizeFourBit(Stream.Handle, weight, output.Pointer, DType.Float32);
            Expect.Bits(output.Read<float>(), Array.ConvertAll(codebook, value => 2 * value), $"{quantType}");
        }
    }

    private void AssertEqualsReference(Weight4Bit weight, DType dtype)
    {
        float[] expected = new float[weight.Values.Length];
        for (int i = 0; i < expected.Length; i++)
        {
            float value = weight.Table[weight.Codes[i]] * weight.Absmax[i / weight.Format.BlockSize];
            expected[i] = Elements.Round(value, dtype);
        }

        using TestBuffer output = Allocate(expected.Length * dtype.SizeInBytes());
        Raw.DequantizeFourBit(Stream.Handle, weight.Descriptor, output.Pointer, dtype);
        Expect.Bits(Elements.Decode(output.Read<byte>(), dtype), expected, $"[{weight.N}, {weight.K}] {weight.Format} {dtype}");
    }
}
