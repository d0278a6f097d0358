using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Halfbyte;

/// <summary>
/// The upper 16 bits of a <see cref="float"/>: one sign, eight exponent and seven mantissa bits. Two bytes, blittable, so that
/// spans of it and of <see cref="ushort"/> can be cast into each other. It stores; arithmetic is done in <see cref="float"/>.
/// </summary>
public readonly struct BFloat16 : IEquatable<BFloat16>, IComparable<BFloat16>, IComparable, ISpanFormattable, ISpanParsable<BFloat16>
{
    private const ushort PositiveInfinityBits = 0x7F80;
    private const ushort MagnitudeMask = 0x7FFF;
    private const ushort QuietBit = 0x0040;

    private readonly ushort _bits;

    private BFloat16(ushort bits) => _bits = bits;

    /// <summary>Positive zero.</summary>
    public static BFloat16 Zero => default;

    /// <summary>One.</summary>
    public static BFloat16 One => new(0x3F80);

    /// <summary>The smallest positive number, 2^-133.</summary>
    public static BFloat16 Epsilon => new(0x0001);

    /// <summary>The largest finite number, about 3.39e38.</summary>
    public static BFloat16 MaxValue => new(0x7F7F);

    /// <summary>The smallest finite number, about -3.39e38.</summary>
    public static BFloat16 MinValue => new(0xFF7F);

    /// <summary>Positive infinity.</summary>
    public static BFloat16 PositiveInfinity => new(PositiveInfinityBits);

    /// <summary>Negative infinity.</summary>
    public static BFloat16 NegativeInfinity => new(0xFF80);

    /// <summary>A quiet not-a-number, with the sign of <see cref="float.NaN"/>.</summary>
    public static BFloat16 NaN => new(0xFFC0);

    /// <summary>Rounds to the nearest representable number, ties to even; overflow gives infinity.</summary>
    /// <param name="value">The number to round.</param>
    public static explicit operator BFloat16(float value)
    {
        uint raw = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
        {
            return new((ushort)((raw >> 16) | QuietBit));
        }

        return new((ushort)((raw + 0x7FFF + ((raw >> 16) & 1)) >> 16));
    }

    /// <summary>Rounds to the nearest representable number, once: not by way of a rounded <see cref="float"/>.</summary>
    /// <param name="value">The number to round.</param>
    public static explicit operator BFloat16(double value)
    {
        float single = (float)value;
        if (!float.IsFinite(single) || single == value)
        {
            return (BFloat16)single;
        }

        // Round to odd first: the last bit remembers that something was cut off, so the second rounding cannot see a false tie.
        uint raw = BitConverter.SingleToUInt32Bits(single);
        raw = Math.Abs((double)single) > Math.Abs(value) ? raw - 1 : raw;
        return (BFloat16)BitConverter.UInt32BitsToSingle(raw | 1);
    }

    /// <summary>Widens, exactly.</summary>
    /// <param name="value">The number to widen.</param>
    public static explicit operator float(BFloat16 value) => BitConverter.UInt32BitsToSingle((uint)value._bits << 16);

    /// <summary>Widens, exactly.</summary>
    /// <param name="value">The number to widen.</param>
    public static explicit operator double(BFloat16 value) => (float)value;

    /// <summary>Equal as numbers: both zeros are equal, not-a-number equals nothing.</summary>
    /// <param name="left">The left number.</param>
    /// <param name="right">The right number.</param>
    public static bool operator ==(BFloat16 left, BFloat16 right) => (float)left == (float)right;

    /// <summary>The opposite of equal.</summary>
    /// <param name="left">The left number.</param>
    /// <param name="right">The right number.</param>
    public static bool operator !=(BFloat16 left, BFloat16 right) => !(left == right);

    /// <summary>Less, as numbers.</summary>
    /// <param name="left">The left number.</param>
    /// <param name="right">The right number.</param>
    public static bool operator <(BFloat16 left, BFloat16 right) => (float)left < (float)right;

    /// <summary>Greater, as numbers.</summary>
    /// <param name="left">The left number.</param>
    /// <param name="right">The right number.</param>
    public static bool operator >(BFloat16 left, BFloat16 right) => (float)left > (float)right;

    /// <summary>Less or equal, as numbers.</summary>
    /// <param name="left">The left number.</param>
    /// <param name="right">The right number.</param>
    public static bool operator <=(BFloat16 left, BFloat16 right) => (float)left <= (float)right;

    /// <summary>Greater or equal, as numbers.</summary>
    /// <param name="left">The left number.</param>
    /// <param name="right">The right number.</param>
    public static bool operator >=(BFloat16 left, BFloat16 right) => (float)left >= (float)right;

    /// <summary>The number with these bits.</summary>
    /// <param name="bits">Sign, exponent and mantissa.</param>
    public static BFloat16 FromBits(ushort bits) => new(bits);

    /// <summary>Sign, exponent and mantissa.</summary>
    public ushort ToBits() => _bits;

    /// <summary>Whether the number is a not-a-number.</summary>
    /// <param name="value">The number.</param>
    public static bool IsNaN(BFloat16 value) => (value._bits & MagnitudeMask) > PositiveInfinityBits;

    /// <summary>Whether the number is an infinity of either sign.</summary>
    /// <param name="value">The number.</param>
    public static bool IsInfinity(BFloat16 value) => (value._bits & MagnitudeMask) == PositiveInfinityBits;

    /// <summary>Whether the number is neither infinite nor not-a-number.</summary>
    /// <param name="value">The number.</param>
    public static bool IsFinite(BFloat16 value) => (value._bits & MagnitudeMask) < PositiveInfinityBits;

    /// <summary>Whether the sign bit is set, as it is in negative zero.</summary>
    /// <param name="value">The number.</param>
    public static bool IsNegative(BFloat16 value) => (value._bits & ~MagnitudeMask) != 0;

    /// <inheritdoc/>
    public bool Equals(BFloat16 other) => ((float)this).Equals((float)other);

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is BFloat16 other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => ((float)this).GetHashCode();

    /// <inheritdoc/>
    public int CompareTo(BFloat16 other) => ((float)this).CompareTo((float)other);

    /// <inheritdoc/>
    public int CompareTo(object? obj) => obj switch
    {
        null => 1,
        BFloat16 other => CompareTo(other),
        _ => throw new ArgumentException($"a BFloat16 compares with a BFloat16, not with a {obj.GetType().Name}.", nameof(obj)),
    };

    /// <summary>The shortest text that reads back as this number, in the invariant culture.</summary>
    public override string ToString() => ToString(null, CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public string ToString(string? format, IFormatProvider? formatProvider) =>
        string.IsNullOrEmpty(format) ? Shortest(formatProvider) : ((float)this).ToString(format, formatProvider);

    /// <inheritdoc/>
    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider)
    {
        if (!format.IsEmpty)
        {
            return ((float)this).TryFormat(destination, out charsWritten, format, provider);
        }

        string text = Shortest(provider);
        charsWritten = text.TryCopyTo(destination) ? text.Length : 0;
        return charsWritten > 0;
    }

    /// <inheritdoc/>
    public static BFloat16 Parse(string s, IFormatProvider? provider) => (BFloat16)double.Parse(s, provider);

    /// <inheritdoc/>
    public static BFloat16 Parse(ReadOnlySpan<char> s, IFormatProvider? provider) => (BFloat16)double.Parse(s, provider);

    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out BFloat16 result) =>
        TryParse(s.AsSpan(), provider, out result);

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out BFloat16 result)
    {
        bool read = double.TryParse(s, provider, out double value);
        result = (BFloat16)value;
        return read;
    }

    /// <summary>Four significant digits always suffice for eight bits of precision; fewer where they read back the same.</summary>
    private string Shortest(IFormatProvider? provider)
    {
        for (int digits = 1; digits < 4; digits++)
        {
            string text = ((float)this).ToString("G" + digits, provider);
            if (TryParse(text, provider, out BFloat16 back) && back.Equals(this))
            {
                return text;
            }
        }

        return ((float)this).ToString("G4", provider);
    }
}
