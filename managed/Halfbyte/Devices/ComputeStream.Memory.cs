using System.Runtime.CompilerServices;

namespace Halfbyte;

public sealed unsafe partial class ComputeStream
{
    /// <summary>Allocates memory on the device, in stream order. It is not cleared.</summary>
    /// <param name="bytes">How much; 0 is fine.</param>
    /// <exception cref="HalfbyteOutOfMemoryException">The device has not that much free memory.</exception>
    /// <exception cref="HalfbyteArgumentException"><paramref name="bytes"/> is negative.</exception>
    public DeviceBuffer Allocate(long bytes)
    {
        using var lease = new Lease(SafeHandle);
        return new(new BufferHandle(SafeHandle, SafeHandle.Allocate(bytes)), Device, bytes);
    }

    /// <summary>Allocates memory on the device and copies <paramref name="source"/> into it.</summary>
    /// <typeparam name="T">The element type; the bytes are copied as they are.</typeparam>
    /// <param name="source">Host memory; may be reused when the call returns.</param>
    public DeviceBuffer Upload<T>(ReadOnlySpan<T> source)
        where T : unmanaged
    {
        DeviceBuffer buffer = Allocate((long)source.Length * sizeof(T));
        try
        {
            Upload(source, buffer);
            return buffer;
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }

    /// <summary>Copies <paramref name="source"/> into device memory.</summary>
    /// <typeparam name="T">The element type; the bytes are copied as they are.</typeparam>
    /// <param name="source">Host memory; may be reused when the call returns.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="destinationByteOffset">How many bytes into <paramref name="destination"/>.</param>
    /// <exception cref="HalfbyteArgumentException">The source does not fit, or the buffer lives on another device.</exception>
    public void Upload<T>(ReadOnlySpan<T> source, DeviceBuffer destination, long destinationByteOffset = 0)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(destination);
        long bytes = (long)source.Length * sizeof(T);
        CheckCopy(destination, destinationByteOffset, bytes);
        using var lease = new Lease(SafeHandle, destination.SafeHandle);
        fixed (T* host = source)
        {
            nint device = destination.SafeHandle.Pointer + (nint)destinationByteOffset;
            NativeStatus.Check(Native.halfbyte_copy_from_host(SafeHandle.Pointer, device, (nint)host, bytes));
        }
    }

    /// <summary>Copies device memory to the host and waits for it.</summary>
    /// <typeparam name="T">The element type; the bytes are copied as they are.</typeparam>
    /// <param name="source">Where from.</param>
    /// <param name="destination">Host memory; all of it is written.</param>
    /// <param name="sourceByteOffset">How many bytes into <paramref name="source"/>.</param>
    /// <exception cref="HalfbyteArgumentException">The source is too short, or the buffer lives on another device.</exception>
    public void Download<T>(DeviceBuffer source, Span<T> destination, long sourceByteOffset = 0)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(source);
        long bytes = (long)destination.Length * sizeof(T);
        CheckCopy(source, sourceByteOffset, bytes);
        using var lease = new Lease(SafeHandle, source.SafeHandle);
        fixed (T* host = destination)
        {
            nint device = source.SafeHandle.Pointer + (nint)sourceByteOffset;
            NativeStatus.Check(Native.halfbyte_copy_to_host(SafeHandle.Pointer, (nint)host, device, bytes));
            NativeStatus.Check(Native.halfbyte_stream_synchronize(SafeHandle.Pointer));
        }
    }

    /// <summary>Copies within the device.</summary>
    /// <param name="source">Where from.</param>
    /// <param name="destination">Where to; a buffer other than <paramref name="source"/>.</param>
    /// <param name="bytes">How much, from the start of each.</param>
    /// <exception cref="HalfbyteArgumentException">One is too short, or lives on another device.</exception>
    public void Copy(DeviceBuffer source, DeviceBuffer destination, long bytes)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(destination);
        CheckCopy(source, 0, bytes);
        CheckCopy(destination, 0, bytes);
        using var lease = new Lease(SafeHandle, source.SafeHandle, destination.SafeHandle);
        NativeStatus.Check(Native.halfbyte_copy(SafeHandle.Pointer, destination.SafeHandle.Pointer, source.SafeHandle.Pointer, bytes));
    }

    /// <summary>Sets every byte of <paramref name="destination"/>.</summary>
    /// <param name="destination">The buffer.</param>
    /// <param name="value">The byte.</param>
    /// <exception cref="HalfbyteArgumentException">The buffer lives on another device.</exception>
    public void Fill(DeviceBuffer destination, byte value)
    {
        ArgumentNullException.ThrowIfNull(destination);
        CheckCopy(destination, 0, destination.ByteLength);
        using var lease = new Lease(SafeHandle, destination.SafeHandle);
        NativeStatus.Check(Native.halfbyte_fill(SafeHandle.Pointer, destination.SafeHandle.Pointer, value, destination.ByteLength));
    }

    private void CheckCopy(DeviceBuffer buffer, long offset, long bytes, [CallerArgumentExpression(nameof(buffer))] string name = "")
    {
        Check.SameDevice(this, buffer, name);
        if (bytes < 0 || offset < 0 || offset > buffer.ByteLength - bytes)
        {
            throw new HalfbyteArgumentException(
                HalfbyteStatus.InvalidSize,
                $"'{name}' has {buffer.ByteLength} bytes; {bytes} bytes from byte {offset} on are not all in it.");
        }
    }
}
