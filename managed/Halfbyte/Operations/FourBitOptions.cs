using System.Globalization;

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

    /// <summary>
    /// The 16 values of <see cref="QuantType.Custom"/>; empty for the other formats. They are relative to absmax: ascending (equal neighbours
    /// are allowed), from -1 to 1, and not all equal. They should reach -1 and 1, as those of NF4 and FP4 do: the largest element of a block
    /// becomes the value nearest to it. A table of integers, such as -8 to 7, is to be divided by its largest magnitude.
    /// </summary>
    public ReadOnlyMemory<float> Codebook { get; init; }

    /// <summary>Whether all settings are equal; code books are compared by their values.</summary>
    /// <param name="other">The other options.</param>
    public bool Equals(FourBitOptions? other) => other is not null
        && (QuantType, BlockSize, DoubleQuantize) == (other.QuantType, other.BlockSize, other.DoubleQuantize)
        && Codebook.Span.SequenceEqual(other.Codebook.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(QuantType, BlockSize, DoubleQuantize, Codebook.Length);

    /// <summary>For people: <c>Nf4 bs=64 dq</c>, and the values of a custom code book.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{QuantType} bs={BlockSize}{(DoubleQuantize ? " dq" : "")}{(Codebook.IsEmpty ? "" : $" [{string.Join(", ", Codebook.ToArray())}]")}");

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
