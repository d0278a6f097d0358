using FsCheck;
using FsCheck.Fluent;
using PropertyAttribute = FsCheck.NUnit.PropertyAttribute;

#pragma warning disable NUnit1027 // the arguments of a property are generated

namespace Halfbyte.Tests;

/// <summary>Rows of a weight equal table times statistic, rounded once, bit for bit, wherever they begin and whatever lies around them.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class Lookup4BitTests(string device) : DeviceTests(device)
{
    private static Format4Bit[] Formats => Format4Bit.All;

    [Test]
    public void Any_shape(
        [ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype, [ValueSource(nameof(Formats))] Format4Bit format)
    {
        foreach ((int n, int k) in (ReadOnlySpan<(int, int)>)[(1, 1), (5, 1), (4, 2), (7, 31), (3, 33), (7, 63), (4, 64), (3, 65), (5, 96), (5, 1000), (3, 513), (2, 4100)])
        {
            using var weight = new Weight4Bit(Stream, n, k, format, seed: n + k);
            long[] indices = [n - 1, 0, n / 2, 0, n - 1, .. Enumerable.Range(0, n).Select(i => (long)i)];
            foreach (int gap in (int[])[0, 5, 8])
            {
                AssertEqualsReference(Stream, weight, indices, dtype, gap);
            }
        }
    }

    [Test]
    public void Every_block_size([ValueSource(typeof(Data), nameof(Data.BlockSizes))] int blockSize, [Values] bool nested)
    {
        using var weight = new Weight4Bit(Stream, 3, 5001, new(QuantType.Nf4, blockSize, nested));
        foreach (DType dtype in Data.DTypes)
        {
            AssertEqualsReference(Stream, weight, [2, 0, 1, 1], dtype);
        }
    }

    [Test]
    public void Every_nested_block_size([ValueSource(typeof(Data), nameof(Data.BlockSizes))] int nestedBlockSize)
    {
        using var weight = new Weight4Bit(Stream, 30, 5001, new(QuantType.Nf4, 32, true, nestedBlockSize));
        AssertEqualsReference(Stream, weight, [29, 0, 17], DType.Float32);
    }

    [Test]
    public void Long_rows_and_many_rows_with_any_number_of_threads()
    {
        WithThreads(stream =>
        {
            using var longRows = new Weight4Bit(stream, 3, 70_001, new(QuantType.Nf4, 64, true));
            AssertEqualsReference(stream, longRows, [2, 0, 2], DType.BFloat16, gap: 7);
            using var manyRows = new Weight4Bit(stream, 11, 96, new(QuantType.Fp4, 64, false));
            AssertEqualsReference(stream, manyRows, [.. Enumerable.Range(0, 2000).Select(i => (long)(i * i % 11))], DType.Float16);
        });
    }

    /// <summary>On the CPU, an output that is larger than the caches and is written around them.</summary>
    [TestCase(0)]
    [TestCase(16)]
    [TestCase(1)]
    public void A_large_output(int gap)
    {
        const int N = 5, K = 4096;
        int m = Stream.Device.IsCpu ? 2049 : 100;
        using var weight = new Weight4Bit(Stream, N, K, new(QuantType.Nf4, 64, false));
        AssertEqualsReference(Stream, weight, [.. Enumerable.Range(0, m).Select(i => i * 3L % N)], DType.Float32, gap);
    }

    [Test]
    public void Statistics_that_are_not_finite_tiny_or_huge([ValueSource(typeof(Data), nameof(Data.DTypes))] DType dtype)
    {
        float[] statistics = [float.NaN, float.PositiveInfinity, float.Epsilon, 1e-39f, 1e-8f, 6e-8f, 65504, 65520, 1e6f, float.MaxValue, 0, -0.0f, -2];
        byte[] packed = [.. Enumerable.Range(0, 16 * statistics.Length).Select(i => (byte)(i * 37))];
        using TestBuffer codes = Upload<byte>(packed);
        using TestBuffer absmax = Upload<float>(statistics);
        int n = statistics.Length;
        var weight = new FourBitWeight
        {
            Packed = codes.Pointer,
            Absmax = absmax.Pointer,
            Rows = n,
            Columns = 32,
            BlockSize = 32,
            QuantType = QuantType.Fp4,
            Device = Stream.Device,
        };
        float[] all = Dequantized(weight, dtype);
        using TestBuffer indices = Upload<int>([.. Enumerable.Range(0, n).Reverse()]);
        using var output = new Matrix(Stream, dtype, n, 32, gap: 1);
        Raw.LookupFourBit(Stream.Handle, weight, indices.Pointer, IndexType.Int32, n, output.Pointer, dtype, output.LeadingDimension);
        Expect.Bits(output.Read(), [.. Enumerable.Range(0, n).Reverse().SelectMany(row => all[(row * 32)..((row + 1) * 32)])], $"{dtype}");
    }

    [Test]
    public void Nothing_to_look_up()
    {
        using var weight = new Weight4Bit(Stream, 3, 40, new(QuantType.Nf4, 64, true));
        using TestBuffer output = Allocate(64);
        using TestBuffer indices = Upload<long>([1, 2, 0]);
        Raw.LookupFourBit(Stream.Handle, weight.Descriptor, 0, IndexType.Int64, 0, 0, DType.Float16, 40);
        Raw.LookupFourBit(Stream.Handle, weight.Descriptor with { Columns = 0 }, indices.Pointer, IndexType.Int64, 3, output.Pointer, DType.Float16, 0);
        output.AssertUntouched("output");
    }

    [Test]
    public void An_index_that_is_no_row([Values(40, 65)] int k, [Values(0, 3)] int n)
    {
        using var weight = new Weight4Bit(Stream, n, k, new(QuantType.Nf4, 64, false));
        long[] wrong = [-1, n, long.MaxValue, long.MinValue, 1L << 32];
        foreach (DType dtype in Data.DTypes)
        {
            foreach (long index in wrong)
            {
                long[] indices = n == 0 ? [index] : [2, 0, index, 1];
                int at = Array.IndexOf(indices, index);
                using TestBuffer onDevice = Upload<long>(indices);
                using var output = new Matrix(Stream, dtype, indices.Length, k, gap: 3);
                void Call() => Raw.LookupFourBit(
                    Stream.Handle, weight.Descriptor, onDevice.Pointer, IndexType.Int64, indices.Length, output.Pointer, dtype, output.LeadingDimension);
                if (Stream.Device.IsCpu)
                {
                    HalfbyteArgumentException e = Assert.Throws<HalfbyteArgumentException>(Call)!;
                    Assert.That(e.Status, Is.EqualTo(HalfbyteStatus.InvalidValue));
                    Assert.That(e.Message, Does.Contain($"indices[{at}] is {index}; expected 0 or more and less than weight.N, {n}."));
                    using var untouched = new Matrix(Stream, dtype, indices.Length, k, gap: 3);
                    Expect.Bits(output.Read(), untouched.Read(), "a refused call writes nothing");
                    continue;
                }

                Call();
                Expect.Bits(output.Read(), Expected(weight, indices, dtype), $"index {index}, {dtype}");
            }
        }
    }

    [Test]
    public void Half_of_a_wide_index_is_not_taken_for_a_narrow_one()
    {
        using var weight = new Weight4Bit(Stream, 4, 24, new(QuantType.Nf4, 32, false));
        using TestBuffer indices = Upload<int>([3, 0, 2, 1]);
        using var output = new Matrix(Stream, DType.Float32, 4, 24);
        Raw.LookupFourBit(Stream.Handle, weight.Descriptor, indices.Pointer, IndexType.Int32, 4, output.Pointer, DType.Float32, 24);
        Expect.Bits(output.Read(), Expected(weight, [3, 0, 2, 1], DType.Float32), "int32");
        using var two = new Matrix(Stream, DType.Float32, 2, 24);
        void AsWide() => Raw.LookupFourBit(Stream.Handle, weight.Descriptor, indices.Pointer, IndexType.Int64, 2, two.Pointer, DType.Float32, 24);
        if (Stream.Device.IsCpu)
        {
            Assert.That(Assert.Throws<HalfbyteArgumentException>(AsWide)!.Message, Does.Contain($"indices[1] is {(1L << 32) + 2}"));
        }
        else
        {
            AsWide();
            Expect.Bits(two.Read(), Expected(weight, [3, -1], DType.Float32), "int64");
        }
    }

    public sealed record Lookup(int N, int K, int BlockSize, QuantType QuantType, bool Nested, DType DType, int Gap, int[] Rows);

    public static class Lookups
    {
        public static Arbitrary<Lookup> Cases()
        {
            Gen<Lookup> gen =
                from n in Gen.Choose(1, 12)
                from k in Gen.Choose(1, 300)
                from blockSize in Gen.Elements(32, 64, 256)
                from quantType in Gen.Elements(QuantType.Nf4, QuantType.Fp4)
                from nested in Gen.Elements(false, true)
                from dtype in Gen.Elements(Data.DTypes)
                from gap in Gen.Choose(0, 9)
                from count in Gen.Choose(0, 20)
                from rows in Gen.ArrayOf(Gen.Choose(0, n - 1), count)
                select new Lookup(n, k, blockSize, quantType, nested, dtype, gap, rows);
            return gen.ToArbitrary();
        }
    }

    [Property(Arbitrary = [typeof(Lookups)], QuietOnSuccess = true)]
    public void Rows_are_those_of_the_dequantized_weight(Lookup lookup)
    {
        (int n, int k) = (lookup.N, lookup.K);
        using var weight = new Weight4Bit(
            Stream, n, k, new(lookup.QuantType, lookup.BlockSize, lookup.Nested), values: Data.Normal(k, n * k));
        float[] all = Dequantized(weight.Descriptor, lookup.DType);
        using TestBuffer indices = Upload<int>(lookup.Rows);
        using var output = new Matrix(Stream, lookup.DType, lookup.Rows.Length, k, lookup.Gap);
        Raw.LookupFourBit(
            Stream.Handle, weight.Descriptor, indices.Pointer, IndexType.Int32, lookup.Rows.Length, output.Pointer, lookup.DType, output.LeadingDimension);
        Expect.Bits(output.Read(), [.. lookup.Rows.SelectMany(row => all[(row * k)..((row + 1) * k)])], $"{lookup}");
    }

    /// <summary>From the definition; NaN for an index that is no row.</summary>
    private static float[] Expected(Weight4Bit weight, long[] indices, DType dtype)
    {
        var rows = new Dictionary<long, float[]>();
        float[] expected = new float[indices.Length * weight.K];
        for (int m = 0; m < indices.Length; m++)
        {
            if (!rows.TryGetValue(indices[m], out float[]? row))
            {
                row = new float[weight.K];
                bool exists = indices[m] >= 0 && indices[m] < weight.N;
                for (int k = 0; k < weight.K; k++)
                {
                    long i = exists ? (indices[m] * weight.K) + k : 0;
                    row[k] = exists ? Elements.Round(weight.Table[weight.Codes[i]] * weight.Absmax[i / weight.Format.BlockSize], dtype) : float.NaN;
                }

                rows.Add(indices[m], row);
            }

            row.CopyTo(expected, m * weight.K);
        }

        return expected;
    }

    private static void AssertEqualsReference(ComputeStream stream, Weight4Bit weight, long[] indices, DType dtype, int gap = 0)
    {
        float[] expected = Expected(weight, indices, dtype);
        using TestBuffer wide = TestBuffer.Upload<long>(stream, indices);
        using TestBuffer narrow = TestBuffer.Upload<int>(stream, Array.ConvertAll(indices, index => (int)index));
        foreach (IndexType indexType in (IndexType[])[IndexType.Int32, IndexType.Int64])
        {
            using var output = new Matrix(stream, dtype, indices.Length, weight.K, gap);
            nint pointer = indexType == IndexType.Int32 ? narrow.Pointer : wide.Pointer;
            Raw.LookupFourBit(
                stream.Handle, weight.Descriptor, pointer, indexType, indices.Length, output.Pointer, dtype, output.LeadingDimension);
            Expect.Bits(output.Read(), expected, $"[{weight.N}, {weight.K}] {weight.Format} {dtype} gap {gap} {indexType}");
        }
    }

    private float[] Dequantized(in FourBitWeight weight, DType dtype)
    {
        using TestBuffer output = Allocate(weight.Rows * weight.Columns * dtype.SizeInBytes());
        Raw.DequantizeFourBit(Stream.Handle, weight, output.Pointer, dtype);
        return Elements.Decode(output.Read<byte>(), dtype);
    }
}
