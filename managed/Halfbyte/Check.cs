using System.Diagnostics.CodeAnalysis;

namespace Halfbyte;

/// <summary>Checks of the safe door that several operations share, with the sentences for what fails.</summary>
internal static class Check
{
    public static void SameDevice(ComputeStream stream, DeviceBuffer buffer, string name)
    {
        if (buffer.Device != stream.Device)
        {
            ThrowWrongDevice($"'{name}'", buffer.Device, stream.Device);
        }
    }

    public static void SameDevice(ComputeStream stream, QuantizedTensor tensor)
    {
        if (tensor.Device != stream.Device)
        {
            ThrowWrongDevice(tensor.Label, tensor.Device, stream.Device);
        }
    }

    /// <summary>The buffer is on the stream's device and has at least <paramref name="bytes"/>.</summary>
    public static void Buffer(ComputeStream stream, DeviceBuffer buffer, string name, long bytes)
    {
        ArgumentNullException.ThrowIfNull(buffer, name);
        SameDevice(stream, buffer, name);
        if (buffer.ByteLength < bytes)
        {
            throw Size($"'{name}' has {buffer.ByteLength} bytes; {bytes} are needed.");
        }
    }

    /// <summary>An open buffer of an exact length, for parts that files hold.</summary>
    public static void ExactLength(DeviceBuffer buffer, string name, long bytes)
    {
        ArgumentNullException.ThrowIfNull(buffer, name);
        if (buffer.IsDisposed)
        {
            throw new ObjectDisposedException(name, $"the buffer '{name}' has been disposed; pass one that is open.");
        }

        if (buffer.ByteLength != bytes)
        {
            throw Size($"'{name}' has {buffer.ByteLength} bytes; this shape and format need exactly {bytes}.");
        }
    }

    public static void SpanLength(long actual, long expected, string name)
    {
        if (actual != expected)
        {
            throw Size($"'{name}' has {actual} elements; {expected} are expected.");
        }
    }

    /// <summary>A power of two from 32 to 4096.</summary>
    public static void BlockSize(long blockSize)
    {
        if (!long.IsPow2(blockSize) || blockSize is < 32 or > 4096)
        {
            throw new HalfbyteArgumentException(
                HalfbyteStatus.InvalidFormat,
                $"block size {blockSize} does not exist; use 32, 64, 128, 256, 512, 1024, 2048 or 4096.");
        }
    }

    /// <summary>The product of the dimensions.</summary>
    public static long ElementCount(ReadOnlySpan<long> shape)
    {
        Int128 count = 1;
        bool empty = false;
        foreach (long dimension in shape)
        {
            if (dimension < 0)
            {
                throw Size($"shape [{string.Join(", ", shape.ToArray())}] has a negative dimension.");
            }

            empty |= dimension == 0;
            count = empty ? 0 : count * dimension;
            if (count > long.MaxValue / sizeof(long)) // bytes of the widest type are an int64, too
            {
                throw Size($"shape [{string.Join(", ", shape.ToArray())}] has more elements than memory can have.");
            }
        }

        return (long)count;
    }

    public static HalfbyteArgumentException Size(string message) => new(HalfbyteStatus.InvalidSize, message);

    [DoesNotReturn]
    private static void ThrowWrongDevice(string name, Device actual, Device expected) => throw new HalfbyteArgumentException(
        HalfbyteStatus.WrongDevice,
        $"{name} is on {actual}, the stream on {expected}; use a stream of {actual}, or copy {name} to {expected}.");
}
