using System.Collections.Concurrent;

namespace Halfbyte.Tests;

/// <summary>How a test's 4-bit weight is stored.</summary>
public sealed record Format4Bit(QuantType QuantType, int BlockSize, bool Nested, int NestedBlockSize = 256)
{
    public static Format4Bit[] All =>
    [
        new(QuantType.Nf4, 64, false), new(QuantType.Nf4, 64, true), new(QuantType.Fp4, 32, false), new(QuantType.Fp4, 128, true),
        new(QuantType.Custom, 64, false), new(QuantType.Nf4, 4096, false),
    ];

    public override string ToString() => $"{QuantType.ToName()} bs={BlockSize}{(Nested ? $" nested {NestedBlockSize}" : "")}";
}

/// <summary>A 4-bit weight made by the reference: its values in float64, and on the device what the library reads.</summary>
public sealed class Weight4Bit : IDisposable
{
    private static readonly ConcurrentDictionary<(int N, int K, Format4Bit Format, int Seed), Parts> Cache = new();
    private readonly Parts _parts;
    private readonly List<TestBuffer> _buffers = [];

    public Weight4Bit(ComputeStream stream, int n, int k, Format4Bit format, int seed = 1, float[]? values = null)
    {
        (N, K, Format) = (n, k, format);
        _parts = values is null
            ? Cache.GetOrAdd((n, k, format, seed), key => new(Data.Normal(key.Seed, (long)key.N * key.K, scale: 0.05), key.Format))
            : new(values, format);
        Descriptor = new()
        {
            Packed = Put<byte>(stream, _parts.Packed),
            Absmax = format.Nested ? Put<byte>(stream, _parts.NestedCodes) : Put<float>(stream, _parts.Absmax),
            NestedAbsmax = format.Nested ? Put<float>(stream, _parts.NestedAbsmax) : 0,
            NestedCodebook = format.Nested ? Put<float>(stream, Parts.NestedMap) : 0,
            NestedOffset = format.Nested ? Put<float>(stream, [_parts.NestedOffset]) : 0,
            NestedBlockSize = format.Nested ? format.NestedBlockSize : 0,
            Codebook = format.QuantType == QuantType.Custom ? Put<float>(stream, _parts.Table) : 0,
            Rows = n,
            Columns = k,
            BlockSize = format.BlockSize,
            QuantType = format.QuantType,
            Device = stream.Device,
        };
    }

    public int N { get; }

    public int K { get; }

    public Format4Bit Format { get; }

    public FourBitWeight Descriptor { get; }

    /// <summary>One per byte, not packed.</summary>
    public byte[] Codes => _parts.Codes;

    public float[] Absmax => _parts.Absmax;

    public float[] Table => _parts.Table;

    public double[] Values => _parts.Values;

    public void Dispose() => _buffers.ForEach(buffer => buffer.Dispose());

    private nint Put<T>(ComputeStream stream, ReadOnlySpan<T> data)
        where T : unmanaged
    {
        TestBuffer buffer = TestBuffer.Upload(stream, data);
        _buffers.Add(buffer);
        return buffer.Pointer;
    }

    /// <summary>What does not depend on the device; kept, since many tests use the same weights.</summary>
    private sealed class Parts
    {
        public Parts(float[] values, Format4Bit format)
        {
            float[]? codebook = format.QuantType == QuantType.Custom ? Data.CustomCodebook : null;
            Table = Reference4Bit.Table(format.QuantType, codebook);
            (Codes, Absmax) = Reference4Bit.Quantize(values, format.BlockSize, format.QuantType, codebook);
            Packed = Reference4Bit.Pack(Codes, format.QuantType, codebook);
            if (format.Nested)
            {
                (NestedCodes, NestedAbsmax, NestedOffset) = ReferenceDoubleQuantization.Quantize(Absmax, NestedMap, format.NestedBlockSize);
                Absmax = ReferenceDoubleQuantization.Dequantize(NestedCodes, NestedAbsmax, NestedOffset, NestedMap, format.NestedBlockSize);
            }

            Values = new double[values.Length];
            for (int i = 0; i < Values.Length; i++)
            {
                Values[i] = (double)Table[Codes[i]] * Absmax[i / format.BlockSize];
            }
        }

        public static float[] NestedMap { get; } = Array.ConvertAll(ReferenceTables.DynamicMap(signed: true), value => (float)value);

        public byte[] Codes { get; }

        public byte[] Packed { get; }

        /// <summary>As the product uses them: restored, if nested.</summary>
        public float[] Absmax { get; }

        public byte[] NestedCodes { get; } = [];

        public float[] NestedAbsmax { get; } = [];

        public float NestedOffset { get; }

        public float[] Table { get; }

        public double[] Values { get; }
    }
}
