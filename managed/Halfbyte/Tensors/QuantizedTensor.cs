using System.Diagnostics;
using System.Globalization;

namespace Halfbyte;

/// <summary>
/// A weight in few bits on a device: the one currency between quantizing, saving, loading and multiplying.
/// It owns its buffers. <see cref="FourBitTensor"/> and <see cref="Int8Tensor"/> are the two kinds.
/// </summary>
[DebuggerDisplay("{ToString(),nq}")]
public abstract class QuantizedTensor : IDisposable
{
    private readonly long[] _shape;
    private volatile bool _disposed;

    private protected QuantizedTensor(ReadOnlySpan<long> shape, DType originalDType, Device device)
    {
        _shape = shape.ToArray();
        ElementCount = Check.ElementCount(shape);
        Columns = shape.IsEmpty ? 1 : shape[^1];
        Rows = shape.Length < 2 ? 1 : Check.ElementCount(shape[..^1]);
        _ = originalDType.SizeInBytes();
        OriginalDType = originalDType;
        Device = device;
    }

    /// <summary>The dimensions, outermost first: [N, K] for the weight of a linear layer.</summary>
    public IReadOnlyList<long> Shape => _shape;

    /// <summary>N, output features: the product of all dimensions but the last; 1 for a flat tensor.</summary>
    public long Rows { get; }

    /// <summary>K, input features: the last dimension.</summary>
    public long Columns { get; }

    /// <summary>Number of elements.</summary>
    public long ElementCount { get; }

    /// <summary>The type the tensor had before it was quantized, and has again by default.</summary>
    public DType OriginalDType { get; }

    /// <summary>The device the buffers are on.</summary>
    public Device Device { get; }

    /// <summary>The name the tensor goes by in messages, such as <c>model.layers.3.mlp.up_proj.weight</c>.</summary>
    public string? Name { get; set; }

    /// <summary>Bytes of codes, statistics and tables together.</summary>
    public abstract long ByteLength { get; }

    /// <summary>Bits per element, statistics and tables included; 0 for an empty tensor.</summary>
    public double BitsPerWeight => ElementCount == 0 ? 0 : ByteLength * 8.0 / ElementCount;

    /// <summary>The format for people: <c>nf4</c>, <c>int8</c>.</summary>
    internal abstract string FormatName { get; }

    /// <summary>What messages call the tensor.</summary>
    internal string Label => Name is null ? "the weight" : $"weight '{Name}'";

    private protected virtual string Details => "";

    /// <summary>For people: <c>nf4[4096x10240] bs=64 dq 20.6 MiB cpu</c>.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{FormatName}[{string.Join('x', _shape)}]{Details} {FormatBytes(ByteLength)} {Device}");

    /// <summary>Frees the buffers, each in its stream's order.</summary>
    public void Dispose()
    {
        _disposed = true;
        DisposeBuffers();
        GC.SuppressFinalize(this);
    }

    /// <summary>Keeps the buffers, and a bias that goes with them, from being freed.</summary>
    /// <exception cref="ObjectDisposedException">The tensor or the bias has been disposed; none is held.</exception>
    internal HandleSet Hold(DeviceBuffer? bias)
    {
        ThrowIfDisposed();
        return HoldBuffers(bias);
    }

    /// <summary>The buffers would say it, too, but not whose they are.</summary>
    private protected void ThrowIfDisposed()
    {
        if (_disposed)
        {
            throw new ObjectDisposedException(GetType().FullName, $"{Label} ({this}) has been disposed.");
        }
    }

    private protected abstract HandleSet HoldBuffers(DeviceBuffer? bias);

    private protected abstract void DisposeBuffers();

    private static string FormatBytes(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        double value = bytes;
        int unit = 0;
        for (; value >= 1024 && unit < units.Length - 1; unit++)
        {
            value /= 1024;
        }

        return value.ToString(unit == 0 ? "F0" : "F1", CultureInfo.InvariantCulture) + " " + units[unit];
    }
}
