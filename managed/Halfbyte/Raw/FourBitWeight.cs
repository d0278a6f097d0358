using System.Runtime.InteropServices;

namespace Halfbyte;

/// <summary>
/// A 4-bit weight as the C library takes it: where its parts are and how to read them. For engines that keep weights in memory of
/// their own; <see cref="FourBitTensor.Descriptor"/> makes one of a tensor. Blittable, twelve fields of eight bytes.
/// </summary>
/// <remarks>
/// <c>value(i) = codebook[code(i)] * absmax(i / blockSize)</c>. A zeroed field means "absent". All pointers are of <see cref="Device"/>.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct FourBitWeight
{
    /// <summary>uint8 [(N*K+1)/2]: two codes per byte, the first in the high half.</summary>
    public nint Packed { get; init; }

    /// <summary>float32 [blocks], or uint8 [blocks] if the statistics are double quantized.</summary>
    public nint Absmax { get; init; }

    /// <summary>float32 [ceil(blocks / nestedBlockSize)]; null if the statistics are not double quantized.</summary>
    public nint NestedAbsmax { get; init; }

    /// <summary>float32 [256]; required if the statistics are double quantized.</summary>
    public nint NestedCodebook { get; init; }

    /// <summary>float32 [1]; required if the statistics are double quantized.</summary>
    public nint NestedOffset { get; init; }

    /// <summary>float32 [16]; null for the table of <see cref="QuantType"/>, required for <see cref="QuantType.Custom"/>.</summary>
    public nint Codebook { get; init; }

    /// <summary>N, output features; 1 for a flat tensor.</summary>
    public long Rows { get; init; }

    /// <summary>K, input features; the number of elements of a flat tensor.</summary>
    public long Columns { get; init; }

    /// <summary>Elements per statistic.</summary>
    public long BlockSize { get; init; }

    /// <summary>Statistics per nested statistic; ignored if the statistics are not double quantized.</summary>
    public long NestedBlockSize { get; init; }

    private readonly long _quantType;
    private readonly long _device;

    /// <summary>How codes become values.</summary>
    public QuantType QuantType
    {
        get => (QuantType)_quantType;
        init => _quantType = (long)value;
    }

    /// <summary>Where all of this is.</summary>
    public Device Device
    {
        get => Device.FromNativeId(_device);
        init => _device = value.NativeId;
    }
}
