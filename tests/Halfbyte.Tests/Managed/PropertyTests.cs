using FsCheck;
using FsCheck.Fluent;
using PropertyAttribute = FsCheck.NUnit.PropertyAttribute;

#pragma warning disable NUnit1027 // the arguments of a property are generated

namespace Halfbyte.Tests;

/// <summary>What holds for any tensor, on the best path this processor has.</summary>
[FsCheck.NUnit.Properties(Arbitrary = [typeof(Tensors)], QuietOnSuccess = true)]
public sealed class PropertyTests : IDisposable
{
    private readonly ComputeStream _stream = ComputeStream.CreateCpu();

    public void Dispose() => _stream.Dispose();

    public sealed record Block(float[] Values, int BlockSize, QuantType QuantType)
    {
        public float[] Table => Reference4Bit.Table(QuantType);

        public override string ToString() => $"{QuantType} bs={BlockSize} [{string.Join(", ", Values.Select(value => value.ToString("R")))}]";
    }

    public static class Tensors
    {
        public static Arbitrary<Block> Cases()
        {
            Gen<float> element = Gen.Choose(-1_000_000, 1_000_000).Zip(Gen.Choose(-20, 20))
                .Select(pair => MathF.ScaleB(pair.Item1 / 1e6f, pair.Item2));
            Gen<Block> gen =
                from n in Gen.Choose(0, 300)
                from values in Gen.ArrayOf(element, n)
                from blockSize in Gen.Elements(32, 64, 128)
                from quantType in Gen.Elements(QuantType.Nf4, QuantType.Fp4)
                select new Block(values, blockSize, quantType);
            return gen.ToArbitrary();
        }
    }

    [Property]
    public void The_error_is_at_most_half_the_largest_gap(Block tensor)
    {
        float[] restored = RoundTrip(tensor, out _);
        float[] sorted = [.. tensor.Table.Order()];
        double gap = sorted.Zip(sorted.Skip(1), (low, high) => (double)high - low).Max();
        for (int i = 0; i < restored.Length; i++)
        {
            double absmax = Absmax(tensor, i);
            Assert.That(Math.Abs(restored[i] - (double)tensor.Values[i]), Is.LessThanOrEqualTo((gap / 2 * absmax) + (1e-6 * absmax)), $"element {i}");
        }
    }

    [Property]
    public void The_largest_element_of_a_block_is_kept(Block tensor)
    {
        float[] restored = RoundTrip(tensor, out _);
        for (int i = 0; i < restored.Length; i++)
        {
            if (Math.Abs(tensor.Values[i]) == Absmax(tensor, i) && tensor.Values[i] != 0)
            {
                Assert.That(restored[i], Is.EqualTo(tensor.Values[i]), $"element {i}");
            }
        }
    }

    [Property]
    public void Quantizing_what_was_dequantized_changes_nothing(Block tensor)
    {
        float[] once = RoundTrip(tensor, out byte[] codes);
        float[] twice = RoundTrip(tensor with { Values = once }, out byte[] codesAgain);
        Expect.Bits(Array.ConvertAll(twice, Unsigned), Array.ConvertAll(once, Unsigned), "values");
        if (tensor.QuantType == QuantType.Nf4 && Enumerable.Range(0, once.Length).All(i => Absmax(tensor, i) > 0))
        {
            Expect.Equal<byte>(codesAgain, codes, "codes");
        }

        // Negative zero, which FP4 has, comes back as the positive one.
        static float Unsigned(float value) => value == 0 ? 0 : value;
    }

    [Property]
    public void Order_is_kept_within_a_block(Block tensor)
    {
        float[] restored = RoundTrip(tensor, out _);
        for (int i = 0; i + 1 < restored.Length; i++)
        {
            if (i / tensor.BlockSize == (i + 1) / tensor.BlockSize && tensor.Values[i] < tensor.Values[i + 1])
            {
                Assert.That(restored[i], Is.LessThanOrEqualTo(restored[i + 1]), $"elements {i} and {i + 1}");
            }
        }
    }

    [Property]
    public void A_factor_of_two_is_a_factor_of_two(Block tensor)
    {
        float[] restored = RoundTrip(tensor, out byte[] codes);
        float[] doubled = RoundTrip(tensor with { Values = Array.ConvertAll(tensor.Values, value => 2 * value) }, out byte[] sameCodes);
        Expect.Equal<byte>(sameCodes, codes, "codes");
        Expect.Bits(doubled, Array.ConvertAll(restored, value => 2 * value), "values");
    }

    [Property]
    public void Rows_of_int8_are_within_half_a_step(Block tensor)
    {
        using Int8Tensor quantized = Int8.Quantize<float>(_stream, tensor.Values, 1, tensor.Values.Length);
        float[] restored = new float[tensor.Values.Length];
        Int8.Dequantize<float>(_stream, quantized, restored);
        double absmax = Reference4Bit.Absmax(tensor.Values);
        for (int i = 0; i < restored.Length; i++)
        {
            Assert.That(Math.Abs(restored[i] - (double)tensor.Values[i]), Is.LessThanOrEqualTo(absmax * (0.5 / 127 + 1e-6)), $"element {i}");
        }
    }

    [Property]
    public void Blockwise_8_bit_codes_are_the_nearest(Block tensor)
    {
        float[] map = Blockwise.DynamicMapSigned.ToArray();
        byte[] codes = new byte[tensor.Values.Length];
        float[] absmax = new float[(codes.Length + tensor.BlockSize - 1) / tensor.BlockSize];
        Blockwise.Quantize<float>(_stream, tensor.Values, tensor.BlockSize, codes, absmax);
        for (int i = 0; i < codes.Length; i++)
        {
            if (absmax[i / tensor.BlockSize] > 0)
            {
                double t = tensor.Values[i] / (double)absmax[i / tensor.BlockSize];
                double nearest = map.Min(value => Math.Abs(value - t));
                Assert.That(Math.Abs(map[codes[i]] - t), Is.LessThanOrEqualTo(nearest + 1e-6), $"element {i}");
            }
        }
    }

    private static float Absmax(Block tensor, int i)
    {
        int begin = i / tensor.BlockSize * tensor.BlockSize;
        return Reference4Bit.Absmax(tensor.Values.AsSpan(begin, Math.Min(tensor.BlockSize, tensor.Values.Length - begin)));
    }

    private float[] RoundTrip(Block tensor, out byte[] packed)
    {
        using FourBitTensor quantized = FourBit.Quantize<float>(
            _stream, tensor.Values, [tensor.Values.Length], new() { QuantType = tensor.QuantType, BlockSize = tensor.BlockSize });
        packed = quantized.Packed.HostSpan().ToArray();
        float[] values = new float[tensor.Values.Length];
        FourBit.Dequantize<float>(_stream, quantized, values);
        return values;
    }
}
