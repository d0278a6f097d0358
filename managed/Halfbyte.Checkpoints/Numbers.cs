using System.Numerics;
using System.Runtime.InteropServices;

namespace Halfbyte.Checkpoints;

/// <summary>Fast looks at raw numbers.</summary>
internal static class Numbers
{
    private const uint Float32Exponent = 0x7F80_0000;
    private const ushort Float16Exponent = 0x7C00;
    private const ushort BFloat16Exponent = 0x7F80;

    /// <summary>The index of the first infinite or not-a-number element of <paramref name="bytes"/>, or -1.</summary>
    public static int IndexOfNonFinite(ReadOnlySpan<byte> bytes, DType dtype) => dtype switch
    {
        DType.Float32 => IndexOfAllOnes(MemoryMarshal.Cast<byte, uint>(bytes), Float32Exponent),
        DType.Float16 => IndexOfAllOnes(MemoryMarshal.Cast<byte, ushort>(bytes), Float16Exponent),
        _ => IndexOfAllOnes(MemoryMarshal.Cast<byte, ushort>(bytes), BFloat16Exponent),
    };

    /// <summary>The index of the first element that is negative, infinite or not-a-number, or -1.</summary>
    public static int IndexOfNonFiniteOrNegative(ReadOnlySpan<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (!(values[i] >= 0 && values[i] <= float.MaxValue))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Element <paramref name="index"/> of <paramref name="bytes"/>, for messages.</summary>
    public static float ReadElement(ReadOnlySpan<byte> bytes, DType dtype, int index) => dtype switch
    {
        DType.Float32 => MemoryMarshal.Cast<byte, float>(bytes)[index],
        DType.Float16 => (float)MemoryMarshal.Cast<byte, Half>(bytes)[index],
        _ => (float)MemoryMarshal.Cast<byte, BFloat16>(bytes)[index],
    };

    /// <summary>Widens elements to float32.</summary>
    public static void ToSingle(ReadOnlySpan<byte> bytes, DType dtype, Span<float> values)
    {
        switch (dtype)
        {
            case DType.Float32:
                MemoryMarshal.Cast<byte, float>(bytes).CopyTo(values);
                break;
            case DType.Float16:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(bytes);
                for (int i = 0; i < halves.Length; i++)
                {
                    values[i] = (float)halves[i];
                }

                break;
            default:
                ReadOnlySpan<ushort> upper = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (int i = 0; i < upper.Length; i++)
                {
                    values[i] = BitConverter.UInt32BitsToSingle((uint)upper[i] << 16);
                }

                break;
        }
    }

    /// <summary>An element is infinite or not-a-number exactly if all bits of its exponent are set.</summary>
    private static int IndexOfAllOnes<T>(ReadOnlySpan<T> values, T mask)
        where T : unmanaged, IBinaryInteger<T>
    {
        int i = 0;
        Vector<T> masks = new(mask);
        for (; i <= values.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            if (Vector.EqualsAny(new Vector<T>(values[i..]) & masks, masks))
            {
                break;
            }
        }

        for (; i < values.Length; i++)
        {
            if ((values[i] & mask) == mask)
            {
                return i;
            }
        }

        return -1;
    }
}
