namespace Halfbyte.Tests;

/// <summary>How a test's 4-bit weight is stored.</summary>
public sealed record Format4Bit(QuantType QuantType, int BlockSize, bool Nested)
{
    public static Format4Bit[] All =>
    [
        new(QuantType.Nf4, 64, false), new(QuantType.Nf4, 64, true), new(QuantType.Fp4, 32, false), new(QuantType.Fp4, 128, true),
        new(QuantType.Custom, 64, false), new(QuantType.Nf4, 4096, false),
    ];

    public override string ToString() => $"{QuantType.ToName()} bs={BlockSize}{(Nested ? " nested" : "")}";
}

/// <summary>A 4-bit weight made by the reference: its values in float64, and on the device what the library reads.</summary>
public sealed class Weight4Bit : IDisposable
{
    private readonly List<TestBuffer> _buffers = [];

    public Weight4Bit(ComputeStream stream, int n, int k, Format4Bit format, int seed = 1, float[]? values = null)
    {
        (N, K, Format) = (n, k, format);
        float[]? codebook = format.QuantType == QuantType.Custom ? Data.CustomCodebook : null;
        float[] table = Reference4Bit.Table(format.QuantType, codebook);
        (Codes, float[] absmax) = Reference4Bit.Quantize(
            values ?? Data.Normal(seed, (long)n * k, scale: 0.05), format.BlockSize, format.QuantType, codebook);
        nint Put<T>(ReadOnlySpan<T> data)
            where T : unmanaged
        {
            TestBuffer buffer = TestBuffer.Upload(stream, data);
            _buffers.Add(buffer);
            return buffer.Pointer;
        }

        var descriptor = new FourBitWeight
        {
            Packed = Put<byte>(Reference4Bit.Pack(Codes, format.QuantType, codebook)),
            Codebook = codebook is null ? 0 : Put<float>(codebook),
            Rows = n,
            Columns = k,
            BlockSize = format.BlockSize,
            QuantType = format.QuantType,
            Device = stream.Device,
        };
        if (format.Nested)
        {
            float[] map = Array.ConvertAll(ReferenceTables.DynamicMap(signed: true), value => (float)value);
            (byte[] codes, float[] nested, float offset) = ReferenceDoubleQuantization.Quantize(absmax, map);
            absmax = ReferenceDoubleQuantization.Dequantize(codes, nested, offset, map);
            descriptor = descriptor with
            {
                Absmax = Put<byte>(codes),
                NestedAbsmax = Put<float>(nested),
                NestedCodebook = Put<float>(map),
                NestedOffset = Put<float>([offset]),
                NestedBlockSize = 256,
            };
        }
        else
        {
            descriptor = descriptor with { Absmax = Put<float>(absmax) };
        }

        Descriptor = descriptor;
        Absmax = absmax;
        Table = table;
        Values = new double[(long)n * k];
        for (long i = 0; i < Values.Length; i++)
        {
            Values[i] = (double)table[Codes[i]] * absmax[i / format.BlockSize];
        }
    }

    public int N { get; }

    public int K { get; }

    public Format4Bit Format { get; }

    public FourBitWeight Descriptor { get; }

    /// <summary>One per byte, not packed.</summary>
    public byte[] Codes { get; }

    public float[] Absmax { get; }

    public float[] Table { get; }

    public double[] Values { get; }

    public void Dispose() => _buffers.ForEach(buffer => buffer.Dispose());
}
