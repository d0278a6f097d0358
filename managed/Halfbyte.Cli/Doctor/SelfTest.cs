using System.Runtime.InteropServices;

using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Doctor;

/// <summary>
/// Holds one stream against <see cref="Reference"/>: codes and statistics bit for bit, products within the error of float32 sums. The
/// data has what goes wrong first: odd sizes, blocks across rows, zeros, denormals, infinities, not-a-numbers.
/// </summary>
internal static class SelfTest
{
    private const int Rows = 7;
    private const int Columns = 97;
    private const int BatchRows = 3;
    private const int ProductRows = 64;
    private const int ProductColumns = 160;

    // K roundings of the sum, each at most half a unit in the last place of float32, with room for the order of summation.
    private const double ProductTolerance = 1e-5;

    /// <summary>Null if everything holds, else the first thing that does not.</summary>
    internal static string? Run(ComputeStream stream)
    {
        float[] hard = HardValues(Rows * Columns);
        return FourBitCodes(stream, hard, QuantType.Nf4, 64)
            ?? FourBitCodes(stream, hard, QuantType.Fp4, 32)
            ?? NestedStatistics(stream)
            ?? Int8Codes(stream, hard)
            ?? FourBitProduct(stream)
            ?? Int8Product(stream);
    }

    private static string? FourBitCodes(ComputeStream stream, float[] values, QuantType type, int blockSize)
    {
        (byte[] packed, float[] absmax) = Reference.QuantizeFourBit(values, blockSize, type);
        var options = new FourBitOptions { QuantType = type, BlockSize = blockSize };
        using FourBitTensor tensor = FourBit.Quantize<float>(stream, values, Rows, Columns, options);
        string name = type.ToName();
        string? difference = Difference($"{name} codes", packed, Download<byte>(stream, tensor.Packed))
            ?? Difference($"{name} statistics", absmax, Download<float>(stream, tensor.Absmax));
        if (difference is not null)
        {
            return difference;
        }

        var restored = new float[values.Length];
        FourBit.Dequantize<float>(stream, tensor, restored);
        return Difference($"{name} values", Reference.DequantizeFourBit(packed, absmax, values.Length, blockSize, type), restored);
    }

    private static string? NestedStatistics(ComputeStream stream)
    {
        float[] values = OrdinaryValues(300 * 64, 0.02f, seed: 3); // 300 statistics: two nested blocks, one of them short
        using FourBitTensor tensor = FourBit.Quantize<float>(stream, values, 300, 64, new FourBitOptions { DoubleQuantize = true });
        (_, float[] absmax) = Reference.QuantizeFourBit(values, 64, QuantType.Nf4);
        (byte[] codes, float[] nested, float offset) = Reference.DoubleQuantize(absmax);
        return Difference("double quantized codes", codes, Download<byte>(stream, tensor.Absmax))
            ?? Difference("double quantized statistics", nested, Download<float>(stream, tensor.NestedAbsmax!))
            ?? Difference("double quantized offset", [offset], [tensor.ReadNestedOffset(stream)]);
    }

    private static string? Int8Codes(ComputeStream stream, float[] values)
    {
        // An infinite row has no codes worth comparing; everything else stays.
        float[] finite = Array.ConvertAll(values, value => float.IsInfinity(value) ? 1 : value);
        (sbyte[] codes, float[] absmax) = Reference.QuantizeInt8(finite, Rows, Columns);
        using Int8Tensor tensor = Int8.Quantize<float>(stream, finite, Rows, Columns);
        return Difference("int8 codes", codes, Download<sbyte>(stream, tensor.Codes))
            ?? Difference("int8 statistics", absmax, Download<float>(stream, tensor.Absmax));
    }

    private static string? FourBitProduct(ComputeStream stream)
    {
        float[] weight = OrdinaryValues(ProductRows * ProductColumns, 0.02f, seed: 4);
        float[] x = OrdinaryValues(BatchRows * ProductColumns, 1, seed: 5);
        using var layer = new Linear4Bit(FourBit.Quantize<float>(stream, weight, ProductRows, ProductColumns));
        var restored = new float[weight.Length];
        FourBit.Dequantize<float>(stream, layer.Weight, restored);
        var y = new float[BatchRows * ProductRows];
        layer.Forward<float>(stream, x, y);
        return ProductDifference("nf4 product", x, restored, y, ProductTolerance);
    }

    private static string? Int8Product(ComputeStream stream)
    {
        float[] weight = OrdinaryValues(ProductRows * ProductColumns, 0.02f, seed: 6);
        float[] x = OrdinaryValues(BatchRows * ProductColumns, 1, seed: 7);
        x[11] = 40; // an outlier column, multiplied apart
        using var layer = new Linear8Bit(Int8.Quantize<float>(stream, weight, ProductRows, ProductColumns));
        var restored = new float[weight.Length];
        Int8.Dequantize<float>(stream, layer.Weight, restored);
        var y = new float[BatchRows * ProductRows];
        layer.Forward<float>(stream, x, y);

        // The activations are rounded to 8 bits on the way: half a step of 254 per element, of the row's largest.
        return ProductDifference("int8 product", x, restored, y, 0.02);
    }

    private static string? ProductDifference(string what, float[] x, float[] weight, float[] y, double tolerance)
    {
        (double[] exact, double[] magnitude) = Reference.Multiply(x, weight, BatchRows, ProductRows, ProductColumns);
        for (int i = 0; i < y.Length; i++)
        {
            if (!(Math.Abs(y[i] - exact[i]) <= tolerance * magnitude[i]))
            {
                return Format.Text($"{what}: element {i} is {y[i]}, expected {exact[i]}");
            }
        }

        return null;
    }

    private static string? Difference<T>(string what, T[] expected, T[] actual)
        where T : unmanaged
    {
        ReadOnlySpan<byte> expectedBytes = MemoryMarshal.AsBytes<T>(expected);
        ReadOnlySpan<byte> actualBytes = MemoryMarshal.AsBytes<T>(actual);
        if (expectedBytes.SequenceEqual(actualBytes))
        {
            return null;
        }

        int size = expectedBytes.Length / expected.Length;
        int element = Math.Min(expectedBytes.CommonPrefixLength(actualBytes) / size, Math.Min(expected.Length, actual.Length) - 1);
        return Format.Text($"{what}: element {element} is {actual[element]}, expected {expected[element]}");
    }

    private static T[] Download<T>(ComputeStream stream, DeviceBuffer buffer)
        where T : unmanaged
    {
        var values = new T[buffer.ByteLength / Marshal.SizeOf<T>()];
        stream.Download<T>(buffer, values);
        return values;
    }

    private static float[] OrdinaryValues(int count, float scale, int seed)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = scale * (random.NextSingle() + random.NextSingle() + random.NextSingle() - 1.5f);
        }

        return values;
    }

    private static float[] HardValues(int count)
    {
        float[] values = OrdinaryValues(count, 1, seed: 1);
        values.AsSpan(64, 64).Clear(); // a block of zeros
        values[130] = float.NaN;
        values[200] = float.PositiveInfinity;
        values[300] = float.Epsilon;
        values[301] = -0.0f;
        values.AsSpan(320, 64).Fill(float.Epsilon * 1000); // a block of denormals
        values[400] = 1e30f;
        return values;
    }
}
