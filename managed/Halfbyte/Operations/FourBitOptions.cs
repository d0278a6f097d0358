namespace Halfbyte;

/// <summary>How to quantize to 4 bits. The defaults are those of bitsandbytes' NF4: blocks of 64, statistics in float32.</summary>
public sealed record FourBitOptions
{
    /// <summary>NF4, blocks of 64, statistics in float32.</summary>
    public static FourBitOptions Default { get; } = new();

    /// <summary>The format of the codes.</summary>
    public QuantType QuantType { get; init; } = QuantType.Nf4;

    /// <summary>Elements per statistic: 32, 64, 128, 256, 512, 1024, 2048 or 4096. Smaller blocks are more exact and take more memory.</summary>
    public int BlockSize { get; init; } = 64;

    /// <summary>Whether to store the statistics in 8 bits, which saves 0.37 bits per weight with blocks of 64. "QLoRA", section 3.</summary>
    public bool DoubleQuantize { get; init; }

    /// <summary>The 16 values of <see cref="QuantType.Custom"/>, ascending and finite; empty for the other formats.</summary>
    public ReadOnlyMemory<float> Codebook { get; init; }

    internal void Validate()
    {
        _ = QuantType.ToName();
        Check.BlockSize(BlockSize);
        int expected = QuantType == QuantType.Custom ? 16 : 0;
        if (Codebook.Length != expected)
        {
            throw new HalfbyteArgumentException(
                HalfbyteStatus.InvalidFormat,
                $"the codebook of {QuantType.ToName()} has {Codebook.Length} values; {(expected == 16 ? "pass 16" : "leave it empty, the format has its own")}.");
        }
    }
}
