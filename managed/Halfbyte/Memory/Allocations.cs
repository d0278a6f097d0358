namespace Halfbyte;

/// <summary>The buffers of a tensor in the making: freed together unless the tensor came to be.</summary>
internal sealed class Allocations(ComputeStream stream) : IDisposable
{
    private readonly List<DeviceBuffer> _buffers = [];

    public DeviceBuffer Allocate(long bytes)
    {
        DeviceBuffer buffer = stream.Allocate(bytes);
        _buffers.Add(buffer);
        return buffer;
    }

    public DeviceBuffer Upload(ReadOnlySpan<float> values)
    {
        DeviceBuffer buffer = stream.Upload(values);
        _buffers.Add(buffer);
        return buffer;
    }

    /// <summary>The tensor owns the buffers now.</summary>
    public void Keep() => _buffers.Clear();

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers)
        {
            buffer.Dispose();
        }
    }
}
