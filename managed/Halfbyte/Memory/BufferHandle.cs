using System.Runtime.InteropServices;

namespace Halfbyte;

/// <summary>Device memory. Owned memory keeps its stream alive and is freed in that stream's order; borrowed memory is left alone.</summary>
internal sealed class BufferHandle : SafeHandle
{
    private readonly StreamHandle? _stream;
    private bool _disposed;

    public BufferHandle(StreamHandle stream, nint memory)
        : base(0, ownsHandle: true)
    {
        bool added = false;
        stream.DangerousAddRef(ref added);
        _stream = stream;
        SetHandle(memory);
    }

    /// <summary>Borrows.</summary>
    public BufferHandle(nint memory)
        : base(0, ownsHandle: false) => SetHandle(memory);

    /// <summary>Never invalid: an empty buffer has a null pointer, and still holds a reference on its stream.</summary>
    public override bool IsInvalid => false;

    public nint Pointer => handle;

    /// <summary>Whether the memory is freed in the order of <paramref name="stream"/>.</summary>
    public bool IsFreedBy(StreamHandle stream) => ReferenceEquals(_stream, stream);

    protected override void Dispose(bool disposing)
    {
        _disposed = disposing;
        base.Dispose(disposing);
    }

    protected override bool ReleaseHandle()
    {
        bool freed = _stream!.Free(handle, now: _disposed);
        _stream.DangerousRelease();
        return freed;
    }
}
