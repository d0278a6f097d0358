namespace Halfbyte;

/// <summary>
/// Host memory as an operation's argument: on a CPU stream it is used where it is, on another device it goes through an allocation
/// there. For the doors that take spans.
/// </summary>
internal readonly unsafe ref struct HostMemory
{
    private readonly ComputeStream _stream;
    private readonly DeviceBuffer? _staging;
    private readonly void* _host;
    private readonly long _bytes;

    private HostMemory(ComputeStream stream, void* host, long bytes)
    {
        _stream = stream;
        _host = host;
        _bytes = bytes;
        if (!stream.Device.IsCpu)
        {
            Log.Staged(stream.Logger, stream.Device, bytes);
            _staging = stream.Allocate(bytes);
        }
    }

    /// <summary>Where the operation finds the data.</summary>
    public nint Pointer => _staging is null ? (nint)_host : _staging.Pointer;

    /// <summary>Memory that the operation reads. <paramref name="host"/> must stay pinned.</summary>
    public static HostMemory Input(ComputeStream stream, void* host, long bytes)
    {
        var memory = new HostMemory(stream, host, bytes);
        if (memory._staging is not null)
        {
            NativeStatus.Check(Native.halfbyte_copy_from_host(stream.Handle, memory.Pointer, (nint)host, bytes));
        }

        return memory;
    }

    /// <summary>Memory that the operation writes; it is there after <see cref="Fetch"/>. <paramref name="host"/> must stay pinned.</summary>
    public static HostMemory Output(ComputeStream stream, void* host, long bytes) => new(stream, host, bytes);

    /// <summary>Brings what the operation wrote back to the host, and waits for it.</summary>
    public void Fetch()
    {
        if (_staging is not null)
        {
            NativeStatus.Check(Native.halfbyte_copy_to_host(_stream.Handle, (nint)_host, Pointer, _bytes));
            _stream.Synchronize();
        }
    }

    public void Dispose() => _staging?.Dispose();
}
