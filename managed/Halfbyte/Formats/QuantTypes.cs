using System.Diagnostics.CodeAnalysis;

namespace Halfbyte;

/// <summary>Names of <see cref="QuantType"/> in checkpoints and messages.</summary>
public static class QuantTypes
{
    /// <summary>The lower-case name: <c>fp4</c>, <c>nf4</c>, <c>custom</c>.</summary>
    /// <param name="quantType">The format.</param>
    /// <exception cref="HalfbyteArgumentException"><paramref name="quantType"/> is not a member of the enumeration.</exception>
    public static string ToName(this QuantType quantType) => quantType switch
    {
        QuantType.Fp4 => "fp4",
        QuantType.Nf4 => "nf4",
        QuantType.Custom => "custom",
        _ => throw new HalfbyteArgumentException(
            HalfbyteStatus.InvalidFormat,
            $"quantization type {(int)quantType} does not exist; use QuantType.Fp4 (1), Nf4 (2) or Custom (3)."),
    };

    /// <summary>Reads <c>fp4</c> or <c>nf4</c>, the two names a checkpoint may use.</summary>
    /// <param name="name">The name; null is no name.</param>
    /// <param name="quantType">The format, if the name is known.</param>
    /// <returns>Whether the name is known.</returns>
    public static bool TryParse([NotNullWhen(true)] string? name, out QuantType quantType)
    {
        quantType = name switch
        {
            "fp4" => QuantType.Fp4,
            "nf4" => QuantType.Nf4,
            _ => 0,
        };
        return quantType != 0;
    }
}
