using System.Buffers;

namespace Halfbyte.Checkpoints;

/// <summary>
/// A buffer on a device that grows and is reused, with its image on the host: on the CPU the same memory, elsewhere an array copied
/// to and fro. So files are read straight into the memory that is quantized where that is possible.
/// </summary>
internal sealed class DeviceScratch(ComputeStream stream) : IDisposable
{
    private DeviceBuffer? _buffer;
    private byte[]? _image;

    /// <summary>The address on the device.</summary>
    public nint Pointer => _buffer?.Pointer ?? 0;

    /// <summary>Makes room; what was in it is lost if it grows.</summary>
    public void Reserve(long bytes)
    {
        if (_buffer is not null && _buffer.ByteLength >= bytes)
        {
            return;
        }

        _buffer?.Dispose();
        _buffer = null;
        _buffer = stream.Allocate(Math.Max(bytes, 64));
    }

    /// <summary>Host memory to fill; <see cref="Publish"/> makes it visible to the device.</summary>
    public Span<byte> Image(int bytes)
    {
        if (stream.Device.IsCpu)
        {
            return _buffer!.HostSpan()[..bytes];
        }

        if (_image is null || _image.Length < bytes)
        {
            if (_image is not null)
            {
                ArrayPool<byte>.Shared.Return(_image);
            }

            _image = ArrayPool<byte>.Shared.Rent(bytes);
        }

        return _image.AsSpan(0, bytes);
    }

    /// <summary>Copies the first bytes of the image to the device.</summary>
    public void Publish(int bytes)
    {
        if (!stream.Device.IsCpu)
        {
            stream.Upload<byte>(_image.AsSpan(0, bytes), _buffer!);
        }
    }

    /// <summary>Host memory with what the device has from <paramref name="offset"/> on; valid until the next call.</summary>
    public Span<byte> Fetch(long offset, int bytes)
    {
        if (stream.Device.IsCpu)
        {
            return _buffer!.HostSpan().Slice((int)offset, bytes);
        }

        Span<byte> image = Image(bytes);
        stream.Download(_buffer!, image, offset);
        return image;
    }

    public void Dispose()
    {
        _buffer?.Dispose();
        if (_image is not null)
        {
            ArrayPool<byte>.Shared.Return(_image);
        }
    }
}
