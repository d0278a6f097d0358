using System.Runtime.InteropServices;

namespace Halfbyte.Cli.Bench.Peers;

/// <summary>Memory outside the managed heap, aligned to a page and written once, so that no page fault falls into a measurement.</summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    private const int PageSize = 4096;

    private void* _pointer;

    internal NativeBuffer(long byteLength)
    {
        ByteLength = byteLength;
        _pointer = NativeMemory.AlignedAlloc((nuint)Math.Max(1, byteLength), PageSize);
        NativeMemory.Fill(_pointer, (nuint)byteLength, 1);
    }

    internal long ByteLength { get; }

    internal nint Pointer => (nint)_pointer;

    internal Span<T> Span<T>()
        where T : unmanaged => new(_pointer, checked((int)(ByteLength / sizeof(T))));

    public void Dispose()
    {
        NativeMemory.AlignedFree(_pointer);
        _pointer = null;
    }
}
