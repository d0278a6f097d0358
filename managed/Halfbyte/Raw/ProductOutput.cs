using System.Runtime.InteropServices;

namespace Halfbyte;

/// <summary>Where one product goes, as the C library takes it. Blittable, four fields of eight bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct ProductOutput
{
    /// <summary>[M, N] of the call's data type.</summary>
    public nint Y { get; init; }

    /// <summary>Elements between the starts of two rows of y, at least N.</summary>
    public long LeadingDimension { get; init; }

    /// <summary>[N] of <see cref="BiasDType"/>, or null.</summary>
    public nint Bias { get; init; }

    private readonly long _biasDType;

    /// <summary>The type of the bias; ignored if there is none.</summary>
    public DType BiasDType
    {
        get => (DType)_biasDType;
        init => _biasDType = (long)value;
    }
}
