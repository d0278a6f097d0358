namespace Halfbyte;

/// <summary>
/// A tensor in 4 bits: packed codes, and one statistic per block of <see cref="BlockSize"/> consecutive elements of the flat tensor.
/// The layout is that of bitsandbytes, byte for byte.
/// </summary>
/// <remarks>
/// <c>value(i) = codebook[code(i)] * absmax(i / blockSize)</c>; with double quantization
/// <c>absmax(b) = nestedCodebook[absmax[b]] * nestedAbsmax[b / nestedBlockSize] + nestedOffset</c>. Dettmers et al., "QLoRA", 2023.
/// </remarks>
public sealed class FourBitTensor : QuantizedTensor
{
    private FourBitTensor(FourBitParts parts, ReadOnlySpan<long> shape, DType originalDType)
        : base(shape, originalDType, parts.Packed.Device)
    {
        parts.Validate(ElementCount);
        (QuantType, BlockSize) = (parts.QuantType, parts.BlockSize);
        (Packed, Absmax, Codebook) = (parts.Packed, parts.Absmax, parts.Codebook);
        (NestedAbsmax, NestedCodebook, NestedOffset) = (parts.NestedAbsmax, parts.NestedCodebook, parts.NestedOffset);
        NestedBlockSize = IsDoubleQuantized ? parts.NestedBlockSize : 0;
    }

    /// <summary>The format of the codes.</summary>
    public QuantType QuantType { get; }

    /// <summary>Elements per statistic.</summary>
    public int BlockSize { get; }

    /// <summary>Number of statistics: <c>ceil(n / blockSize)</c>.</summary>
    public long BlockCount => FourBit.BlockCount(ElementCount, BlockSize);

    /// <summary>Whether the statistics are themselves stored in 8 bits.</summary>
    public bool IsDoubleQuantized => NestedAbsmax is not null;

    /// <summary>Statistics per nested statistic, 256 as a rule; 0 if the statistics are not double quantized.</summary>
    public int NestedBlockSize { get; }

    /// <summary>uint8 [(n+1)/2]: two codes per byte, the first in the high half.</summary>
    public DeviceBuffer Packed { get; }

    /// <summary>float32 [blocks], or uint8 [blocks] if <see cref="IsDoubleQuantized"/>.</summary>
    public DeviceBuffer Absmax { get; }

    /// <summary>float32 [ceil(blocks / nestedBlockSize)], or null.</summary>
    public DeviceBuffer? NestedAbsmax { get; }

    /// <summary>float32 [256], or null.</summary>
    public DeviceBuffer? NestedCodebook { get; }

    /// <summary>float32 [1], or null.</summary>
    public DeviceBuffer? NestedOffset { get; }

    /// <summary>float32 [16], or null for the table of <see cref="QuantType"/>.</summary>
    public DeviceBuffer? Codebook { get; }

    /// <inheritdoc/>
    public override long ByteLength => Packed.ByteLength + Absmax.ByteLength + (NestedAbsmax?.ByteLength ?? 0)
        + (NestedCodebook?.ByteLength ?? 0) + (NestedOffset?.ByteLength ?? 0) + (Codebook?.ByteLength ?? 0);

    /// <summary>The tensor as the raw door takes it. Valid until <see cref="QuantizedTensor.Dispose"/>.</summary>
    /// <exception cref="ObjectDisposedException">The tensor has been disposed.</exception>
    public FourBitWeight Descriptor
    {
        get
        {
            ThrowIfDisposed();
            return new()
            {
                Packed = Packed.Pointer,
                Absmax = Absmax.Pointer,
                NestedAbsmax = NestedAbsmax?.Pointer ?? 0,
                NestedCodebook = NestedCodebook?.Pointer ?? 0,
                NestedOffset = NestedOffset?.Pointer ?? 0,
                Codebook = Codebook?.Pointer ?? 0,
                Rows = Rows,
                Columns = Columns,
                BlockSize = BlockSize,
                NestedBlockSize = NestedBlockSize,
                QuantType = QuantType,
                Device = Device,
            };
        }
    }

    internal override string FormatName => QuantType.ToName();

    private protected override string Details => $" bs={BlockSize}{(IsDoubleQuantized ? " dq" : "")}";

    /// <summary>Makes a tensor of buffers that hold its parts already, as a checkpoint does.</summary>
    /// <param name="parts">The buffers and how to read them. The tensor owns them from here on; if this throws, the caller still does.</param>
    /// <param name="shape">The dimensions, [N, K] for the weight of a linear layer.</param>
    /// <param name="originalDType">The type the tensor had before it was quantized.</param>
    /// <exception cref="ArgumentNullException"><see cref="FourBitParts.Packed"/> or <see cref="FourBitParts.Absmax"/> is null.</exception>
    /// <exception cref="HalfbyteArgumentException">A buffer has not exactly the length that shape and format need, is on another device than
    /// the others, or is missing.</exception>
    /// <exception cref="ObjectDisposedException">A buffer has been disposed; the message names it.</exception>
    public static FourBitTensor FromBuffers(FourBitParts parts, ReadOnlySpan<long> shape, DType originalDType)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(parts.Packed, nameof(FourBitParts.Packed)); // it says the device of the rest
        return new(parts, shape, originalDType);
    }

    /// <summary>Reads the mean that double quantization subtracted from the statistics.</summary>
    /// <param name="stream">A stream of the tensor's device; it is waited for.</param>
    /// <exception cref="InvalidOperationException">The statistics are not double quantized.</exception>
    public float ReadNestedOffset(ComputeStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ThrowIfDisposed();
        Span<float> offset = stackalloc float[1];
        stream.Download(
            NestedOffset ?? throw new InvalidOperationException($"{Label} ({this}) is not double quantized: it has no offset."), offset);
        return offset[0];
    }

    private protected override HandleSet HoldBuffers(DeviceBuffer? bias) =>
        new(Packed, Absmax, NestedAbsmax, NestedCodebook, NestedOffset, Codebook, bias);

    private protected override void DisposeBuffers()
    {
        Packed.Dispose();
        Absmax.Dispose();
        NestedAbsmax?.Dispose();
        NestedCodebook?.Dispose();
        NestedOffset?.Dispose();
        Codebook?.Dispose();
    }
}
