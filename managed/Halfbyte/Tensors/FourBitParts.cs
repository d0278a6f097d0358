namespace Halfbyte;

/// <summary>The buffers of a <see cref="FourBitTensor"/> and how to read them, before they are one.</summary>
public sealed record FourBitParts
{
    /// <summary>The format of the codes.</summary>
    public required QuantType QuantType { get; init; }

    /// <summary>Elements per statistic: 32, 64, 128, 256, 512, 1024, 2048 or 4096.</summary>
    public required int BlockSize { get; init; }

    /// <summary>uint8 [(n+1)/2]: two codes per byte, the first in the high half.</summary>
    public required DeviceBuffer Packed { get; init; }

    /// <summary>float32 [blocks], or uint8 [blocks] if the statistics are double quantized.</summary>
    public required DeviceBuffer Absmax { get; init; }

    /// <summary>float32 [ceil(blocks / nestedBlockSize)] if the statistics are double quantized, else null.</summary>
    public DeviceBuffer? NestedAbsmax { get; init; }

    /// <summary>Statistics per nested statistic, one of the block sizes; 256 in every checkpoint there is.</summary>
    public int NestedBlockSize { get; init; } = DoubleQuantization.BlockSize;

    /// <summary>float32 [256] if the statistics are double quantized, else null.</summary>
    public DeviceBuffer? NestedCodebook { get; init; }

    /// <summary>float32 [1] if the statistics are double quantized, else null.</summary>
    public DeviceBuffer? NestedOffset { get; init; }

    /// <summary>float32 [16]; null for the table of <see cref="QuantType"/>, required for <see cref="QuantType.Custom"/>.</summary>
    public DeviceBuffer? Codebook { get; init; }

    internal void Validate(long elements)
    {
        _ = QuantType.ToName();
        Check.BlockSize(BlockSize);
        long blocks = FourBit.BlockCount(elements, BlockSize);
        bool nested = NestedAbsmax is not null;
        Check.ExactLength(Packed, nameof(Packed), FourBit.PackedLength(elements));
        Check.ExactLength(Absmax, nameof(Absmax), nested ? blocks : blocks * sizeof(float));
        if (nested != NestedCodebook is not null || nested != NestedOffset is not null)
        {
            throw new HalfbyteArgumentException(
                HalfbyteStatus.NullPointer,
                "double-quantized statistics need NestedAbsmax, NestedCodebook and NestedOffset together; pass all three, or none.");
        }

        if (nested)
        {
            Check.BlockSize(NestedBlockSize);
            Check.ExactLength(NestedAbsmax!, nameof(NestedAbsmax), FourBit.BlockCount(blocks, NestedBlockSize) * sizeof(float));
            Check.ExactLength(NestedCodebook!, nameof(NestedCodebook), 256 * sizeof(float));
            Check.ExactLength(NestedOffset!, nameof(NestedOffset), sizeof(float));
        }

        if (Codebook is not null)
        {
            Check.ExactLength(Codebook, nameof(Codebook), 16 * sizeof(float));
        }
        else if (QuantType == QuantType.Custom)
        {
            throw new HalfbyteArgumentException(
                HalfbyteStatus.NullPointer, "QuantType.Custom has no table of its own; pass the 16 float32 values as Codebook.");
        }

        foreach (DeviceBuffer? buffer in (ReadOnlySpan<DeviceBuffer?>)[Absmax, NestedAbsmax, NestedCodebook, NestedOffset, Codebook])
        {
            if (buffer is not null && buffer.Device != Packed.Device)
            {
                throw new HalfbyteArgumentException(
                    HalfbyteStatus.WrongDevice,
                    $"the codes are on {Packed.Device}, another part on {buffer.Device}; copy all parts to one device.");
            }
        }
    }
}
