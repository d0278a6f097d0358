using System.Runtime.InteropServices;

namespace Halfbyte.Tests;

/// <summary>Conversion between float and the element types, written apart from the library's.</summary>
public static class Elements
{
    /// <summary>The elements' bytes. Values must be representable, or are rounded.</summary>
    public static byte[] Encode(ReadOnlySpan<float> values, DType dtype)
    {
        if (dtype == DType.Float32)
        {
            return MemoryMarshal.AsBytes(values).ToArray();
        }

        ushort[] bits = new ushort[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            bits[i] = ToBits(values[i], dtype);
        }

        return MemoryMarshal.AsBytes<ushort>(bits).ToArray();
    }

    public static float[] Decode(ReadOnlySpan<byte> bytes, DType dtype)
    {
        if (dtype == DType.Float32)
        {
            return MemoryMarshal.Cast<byte, float>(bytes).ToArray();
        }

        ReadOnlySpan<ushort> bits = MemoryMarshal.Cast<byte, ushort>(bytes);
        float[] values = new float[bits.Length];
        for (int i = 0; i < bits.Length; i++)
        {
            values[i] = FromBits(bits[i], dtype);
        }

        return values;
    }

    /// <summary>The nearest representable number, ties to even.</summary>
    public static float Round(double value, DType dtype) => dtype switch
    {
        DType.Float32 => (float)value,
        DType.Float16 => (float)(Half)value,
        _ => FromBits(NearestBFloat16(value), dtype),
    };

    public static float FromBits(ushort bits, DType dtype) => dtype == DType.Float16
        ? (float)BitConverter.UInt16BitsToHalf(bits)
        : BitConverter.UInt32BitsToSingle((uint)bits << 16);

    private static ushort ToBits(float value, DType dtype) => dtype == DType.Float16
        ? BitConverter.HalfToUInt16Bits((Half)value)
        : NearestBFloat16(value);

    /// <summary>Of the two neighbours the nearer one, of two equally near the even one.</summary>
    private static ushort NearestBFloat16(double value)
    {
        if (double.IsNaN(value))
        {
            return 0x7FC0;
        }

        ushort sign = (ushort)(double.IsNegative(value) ? 0x8000 : 0);
        double magnitude = Math.Abs(value);

        // The largest magnitude not above the value, by bisection: bit patterns of positive numbers are in order.
        int low = 0;
        int high = 0x7F80;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (Magnitude(middle) <= magnitude)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        if (low == 0x7F80)
        {
            return (ushort)(sign | low);
        }

        // One step past the largest finite number stands for infinity when rounding.
        double above = low == 0x7F7F ? Math.ScaleB(1, 128) : Magnitude(low + 1);
        double toLow = magnitude - Magnitude(low);
        double toHigh = above - magnitude;
        bool up = toHigh < toLow || (toHigh == toLow && low % 2 == 1);
        return (ushort)(sign | (up ? low + 1 : low));
    }

    private static double Magnitude(int bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
}
