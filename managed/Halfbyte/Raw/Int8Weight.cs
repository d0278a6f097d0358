using System.Runtime.InteropServices;

namespace Halfbyte;

/// <summary>
/// A row-wise int8 weight as the C library takes it: <c>value(n, k) = codes[n, k] * absmax[n] / 127</c>. For engines that keep weights
/// in memory of their own; <see cref="Int8Tensor.Descriptor"/> makes one of a tensor. Blittable, five fields of eight bytes.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct Int8Weight
{
    /// <summary>int8 [N, K].</summary>
    public nint Codes { get; init; }

    /// <summary>float32 [N].</summary>
    public nint Absmax { get; init; }

    /// <summary>N, output features.</summary>
    public long Rows { get; init; }

    /// <summary>K, input features.</summary>
    public long Columns { get; init; }

    private readonly long _device;

    /// <summary>Where all of this is.</summary>
    public Device Device
    {
        get => Device.FromNativeId(_device);
        init => _device = value.NativeId;
    }
}
