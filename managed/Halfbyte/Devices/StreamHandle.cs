using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Halfbyte;

/// <summary>
/// The native stream, and the workspace that belongs to it. It lives as long as the last buffer allocated on it, so that every
/// buffer can be freed in its stream's order.
/// </summary>
internal sealed unsafe class StreamHandle : SafeHandle
{
    /// <summary>Memory whose owner was forgotten instead of disposed. The finalizer must not call into a stream in use.</summary>
    private readonly ConcurrentQueue<nint> _forgotten = new();

    public StreamHandle(nint stream)
        : base(0, ownsHandle: true) => SetHandle(stream);

    public override bool IsInvalid => handle == 0;

    /// <summary>The pointer itself. The caller holds a reference, or knows that someone does.</summary>
    public nint Pointer => handle;

    /// <summary>Scratch memory for the next call; null until a call needed some.</summary>
    public nint Workspace { get; private set; }

    public long WorkspaceBytes { get; private set; }

    internal int ForgottenCount => _forgotten.Count;

    /// <summary>Replaces the workspace by one of at least <paramref name="bytes"/>. Work enqueued before may still use the old one.</summary>
    public void GrowWorkspace(long bytes)
    {
        const long Granularity = 64 * 1024;
        long rounded = bytes > long.MaxValue - Granularity ? bytes : (bytes + Granularity - 1) / Granularity * Granularity;
        FreeForgotten();
        nint memory = Allocate(rounded);
        nint old = Workspace;
        (Workspace, WorkspaceBytes) = (memory, rounded);
        NativeStatus.Check(Native.halfbyte_free(handle, old));
    }

    public nint Allocate(long bytes)
    {
        FreeForgotten();
        nint memory;
        NativeStatus.Check(Native.halfbyte_allocate(handle, bytes, &memory));
        return memory;
    }

    /// <summary>Frees in stream order now, or, if the owner was finalized, at the stream's next allocation.</summary>
    public bool Free(nint memory, bool now)
    {
        if (now)
        {
            return Native.halfbyte_free(handle, memory) == 0;
        }

        _forgotten.Enqueue(memory);
        return true;
    }

    protected override bool ReleaseHandle()
    {
        FreeForgotten();
        _ = Native.halfbyte_free(handle, Workspace);
        return Native.halfbyte_stream_destroy(handle) == 0;
    }

    private void FreeForgotten()
    {
        while (_forgotten.TryDequeue(out nint memory))
        {
            _ = Native.halfbyte_free(handle, memory);
        }
    }
}
