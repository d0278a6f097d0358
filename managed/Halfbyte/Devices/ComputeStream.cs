using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Halfbyte;

/// <summary>
/// A device plus an in-order stream of work on it. On the CPU work is done when the call returns; on CUDA it has been enqueued.
/// Any thread may use a stream, but only one at a time; different streams may be used at the same time. Disposing the stream, or
/// a buffer allocated on it, is a use of it.
/// </summary>
/// <remarks>
/// The stream keeps one workspace, scratch memory that grows to the largest an operation asked for. Growing allocates; an engine
/// that captures CUDA graphs calls <see cref="ReserveWorkspace"/> before.
/// </remarks>
public sealed unsafe partial class ComputeStream : IDisposable
{
    private readonly StreamHandle _handle;
    private readonly string _description;
    private volatile bool _disposed;

    private ComputeStream(nint stream, Device device, ILogger? logger)
    {
        Device = device;
        _handle = new StreamHandle(stream);
        Logger = logger ?? NullLogger.Instance;
        _description = NativeText.Read((text, capacity, length) => Native.halfbyte_stream_describe(stream, text, capacity, length));
        Log.LibraryLoaded(Logger);
        Log.StreamCreated(Logger, _description);
    }

    /// <summary>The device the stream works on.</summary>
    public Device Device { get; }

    /// <summary>The C library's <c>halfbyte_stream</c>, for the raw door. Valid until <see cref="Dispose"/>.</summary>
    /// <exception cref="ObjectDisposedException">The stream has been disposed.</exception>
    public nint Handle => SafeHandle.Pointer;

    /// <summary>Bytes of the workspace the stream holds at present.</summary>
    public long WorkspaceBytes => _handle.WorkspaceBytes;

    /// <summary>The handle, for a lease. Buffers may keep it open after this object is disposed, which is no use of the stream.</summary>
    internal StreamHandle SafeHandle
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _handle;
        }
    }

    /// <summary>The handle, whether this object is disposed or not.</summary>
    internal StreamHandle LeasedHandle => _handle;

    internal ILogger Logger { get; }

    /// <summary>Creates a stream on <paramref name="device"/>.</summary>
    /// <param name="device">The CPU (path and threads from the environment or the best there are) or a CUDA device.</param>
    /// <param name="logger">Receives what happens on this stream; null for no log.</param>
    /// <exception cref="HalfbyteDeviceException">There is no such device here, or a <c>HALFBYTE_</c> variable of the environment is wrong.</exception>
    public static ComputeStream Create(Device device, ILogger? logger = null)
    {
        nint stream;
        NativeStatus.Check(Native.halfbyte_stream_create(device.NativeId, &stream));
        return new(stream, device, logger);
    }

    /// <summary>Creates a CPU stream with a path and a number of threads of its own.</summary>
    /// <param name="path">The instructions to use.</param>
    /// <param name="threads">1 to 1024, or 0: <c>HALFBYTE_NUM_THREADS</c> of the environment, else all processors of the process.</param>
    /// <param name="logger">Receives what happens on this stream; null for no log.</param>
    /// <exception cref="HalfbyteDeviceException">This processor lacks <paramref name="path"/>, or a <c>HALFBYTE_</c> variable that would
    /// decide is wrong.</exception>
    /// <exception cref="HalfbyteArgumentException"><paramref name="path"/> or <paramref name="threads"/> is out of range.</exception>
    public static ComputeStream CreateCpu(CpuPath path = CpuPath.Auto, int threads = 0, ILogger? logger = null)
    {
        nint stream;
        NativeStatus.Check(Native.halfbyte_stream_create_cpu((int)path, threads, &stream));
        return new(stream, Device.Cpu, logger);
    }

    /// <summary>Adopts an engine's own <c>cudaStream_t</c>. The engine keeps owning it; disposing this object leaves it alone.</summary>
    /// <param name="ordinal">The CUDA device the stream belongs to.</param>
    /// <param name="cudaStream">The stream; null is the legacy default stream.</param>
    /// <param name="logger">Receives what happens on this stream; null for no log.</param>
    /// <exception cref="HalfbyteDeviceException">There is no such device here.</exception>
    public static ComputeStream WrapCuda(int ordinal, nint cudaStream, ILogger? logger = null)
    {
        nint stream;
        NativeStatus.Check(Native.halfbyte_stream_wrap_cuda(ordinal, cudaStream, &stream));
        return new(stream, Device.Cuda(ordinal), logger);
    }

    /// <summary>Waits until all work enqueued so far is done.</summary>
    /// <exception cref="HalfbyteException">Some of that work failed on the device.</exception>
    public void Synchronize()
    {
        using var lease = new Lease(SafeHandle);
        NativeStatus.Check(Native.halfbyte_stream_synchronize(SafeHandle.Pointer));
    }

    /// <summary>Makes the workspace at least <paramref name="bytes"/> long, so that no later call needs to.</summary>
    /// <param name="bytes">Bytes, as a workspace query returned them; the largest of several, not their sum.</param>
    /// <exception cref="HalfbyteOutOfMemoryException">The device has not that much free memory.</exception>
    public void ReserveWorkspace(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (bytes <= SafeHandle.WorkspaceBytes)
        {
            return;
        }

        using var lease = new Lease(SafeHandle);
        long before = SafeHandle.WorkspaceBytes;
        SafeHandle.GrowWorkspace(bytes);
        Log.WorkspaceGrown(Logger, _description, before, SafeHandle.WorkspaceBytes);
    }

    /// <summary>Grows the workspace for a call that returned <paramref name="status"/>, or throws it if the size was not the matter.</summary>
    internal void GrowWorkspace(long bytes, int status)
    {
        if (bytes <= SafeHandle.WorkspaceBytes)
        {
            NativeStatus.Throw(status);
        }

        ReserveWorkspace(bytes);
    }

    /// <summary>What the stream runs on, for people and logs: <c>cpu avx512_bf16, 2 threads</c>.</summary>
    public override string ToString() => _description;

    /// <summary>Gives the stream back once its work is done and the last of its buffers is freed.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            Log.StreamDisposed(Logger, _description);
        }

        _disposed = true;
        _handle.Dispose();
    }
}
