using System.Runtime.InteropServices;

namespace Halfbyte;

/// <summary>Where one gradient comes from, as the C library takes it. Blittable, two fields of eight bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct ProductGradient
{
    /// <summary>[M, N] of the call's data type.</summary>
    public nint Dy { get; init; }

    /// <summary>Elements between the starts of two rows of dy, at least N.</summary>
    public long LeadingDimension { get; init; }
}
