using System.Diagnostics;

namespace Halfbyte;

/// <summary>
/// Memory on a device. <see cref="ComputeStream.Allocate"/> and <see cref="ComputeStream.Upload{T}(ReadOnlySpan{T})"/> make one.
/// </summary>
/// <remarks>
/// Disposing frees in the order of the stream that allocated it: work enqueued on that stream before may still use the memory.
/// Disposing therefore counts as a use of that stream. Work of another stream must be done first.
/// </remarks>
[DebuggerDisplay("{ByteLength} bytes on {Device}")]
public sealed unsafe class DeviceBuffer : IDisposable
{
    private readonly BufferHandle _handle;
    private volatile bool _disposed;

    internal DeviceBuffer(BufferHandle handle, Device device, long byteLength)
    {
        _handle = handle;
        Device = device;
        ByteLength = byteLength;
    }

    /// <summary>The device the memory is on.</summary>
    public Device Device { get; }

    /// <summary>How much memory there is.</summary>
    public long ByteLength { get; }

    /// <summary>The address on the device, for the raw door; null if the buffer is empty. Valid until <see cref="Dispose"/>.</summary>
    /// <exception cref="ObjectDisposedException">The buffer has been disposed.</exception>
    public nint Pointer => SafeHandle.Pointer;

    internal bool IsDisposed => _disposed;

    /// <summary>The handle, for a lease. A layer may keep it open after this object is disposed, which is no use of the buffer.</summary>
    internal BufferHandle SafeHandle
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _handle;
        }
    }

    /// <summary>What a lease took while the buffer was open, and gives back whether it still is or not.</summary>
    internal BufferHandle LeasedHandle => _handle;

    /// <summary>Makes an engine's own memory usable here. The engine keeps owning it and keeps it alive while it is used.</summary>
    /// <param name="device">The device the memory is on.</param>
    /// <param name="pointer">Its address on that device.</param>
    /// <param name="byteLength">How much there is.</param>
    public static DeviceBuffer Borrow(Device device, nint pointer, long byteLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteLength);
        return new(new BufferHandle(pointer), device, byteLength);
    }

    /// <summary>The memory itself, if it is on the CPU. The span must not be used after <see cref="Dispose"/>.</summary>
    /// <exception cref="InvalidOperationException">The memory is on another device, or longer than a span can be.</exception>
    public Span<byte> HostSpan() => HostSpan<byte>();

    /// <summary>The memory itself as elements, if it is on the CPU. The span must not be used after <see cref="Dispose"/>.</summary>
    /// <typeparam name="T">The element type; a rest of the memory shorter than one element is left out.</typeparam>
    /// <exception cref="InvalidOperationException">The memory is on another device, or longer than a span can be.</exception>
    public Span<T> HostSpan<T>()
        where T : unmanaged
    {
        if (!Device.IsCpu)
        {
            throw new InvalidOperationException($"the buffer is on {Device}; use ComputeStream.Download to read it.");
        }

        long length = ByteLength / sizeof(T);
        if (length > int.MaxValue)
        {
            throw new InvalidOperationException(
                $"the buffer has {length} elements, a span at most {int.MaxValue}; use Pointer, or Download in parts.");
        }

        return new((void*)Pointer, (int)length);
    }

    /// <summary>Frees the memory in its stream's order. Borrowed memory is left alone.</summary>
    public void Dispose()
    {
        _disposed = true;
        _handle.Dispose();
    }

    /// <summary>
    /// What a call on <paramref name="stream"/> has to hold for this buffer: nothing if its memory is freed in that stream's order, since
    /// disposing it is then a use of the stream, which comes before or after the call.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The buffer has been disposed.</exception>
    internal BufferHandle? ToHold(ComputeStream stream) => SafeHandle.IsFreedBy(stream.SafeHandle) ? null : _handle;
}
