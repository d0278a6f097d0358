namespace Halfbyte;

/// <summary>
/// A weight in 8 bits with one statistic per row: <c>value(n, k) = codes[n, k] * absmax[n] / 127</c>. The format of LLM.int8(),
/// Dettmers et al., 2022; a checkpoint calls the statistics SCB.
/// </summary>
public sealed class Int8Tensor : QuantizedTensor
{
    private Int8Tensor(DeviceBuffer codes, DeviceBuffer absmax, ReadOnlySpan<long> shape, DType originalDType)
        : base(shape, originalDType, codes.Device)
    {
        Check.ExactLength(codes, nameof(codes), ElementCount);
        Check.ExactLength(absmax, nameof(absmax), Rows * sizeof(float));
        if (absmax.Device != codes.Device)
        {
            throw new HalfbyteArgumentException(
                HalfbyteStatus.WrongDevice,
                $"the codes are on {codes.Device}, the statistics on {absmax.Device}; copy both to one device.");
        }

        (Codes, Absmax) = (codes, absmax);
    }

    /// <summary>int8 [N, K].</summary>
    public DeviceBuffer Codes { get; }

    /// <summary>float32 [N].</summary>
    public DeviceBuffer Absmax { get; }

    /// <inheritdoc/>
    public override long ByteLength => Codes.ByteLength + Absmax.ByteLength;

    /// <summary>The tensor as the raw door takes it. Valid until <see cref="QuantizedTensor.Dispose"/>.</summary>
    /// <exception cref="ObjectDisposedException">The tensor has been disposed.</exception>
    public Int8Weight Descriptor
    {
        get
        {
            ThrowIfDisposed();
            return new() { Codes = Codes.Pointer, Absmax = Absmax.Pointer, Rows = Rows, Columns = Columns, Device = Device };
        }
    }

    internal override string FormatName => "int8";

    /// <summary>Makes a tensor of buffers that hold its parts already, as a checkpoint does.</summary>
    /// <param name="codes">int8 [N, K]. The tensor owns both buffers from here on; if this throws, the caller still does.</param>
    /// <param name="absmax">float32 [N].</param>
    /// <param name="shape">The dimensions, [N, K].</param>
    /// <param name="originalDType">The type the tensor had before it was quantized.</param>
    /// <exception cref="HalfbyteArgumentException">A buffer has not exactly the length the shape needs, or they are on two devices.</exception>
    /// <exception cref="ObjectDisposedException">A buffer has been disposed; the message names it.</exception>
    public static Int8Tensor FromBuffers(DeviceBuffer codes, DeviceBuffer absmax, ReadOnlySpan<long> shape, DType originalDType)
    {
        ArgumentNullException.ThrowIfNull(codes);
        ArgumentNullException.ThrowIfNull(absmax);
        return new(codes, absmax, shape, originalDType);
    }

    private protected override HandleSet HoldBuffers(DeviceBuffer? bias) => new(Codes, Absmax, bias);

    private protected override void DisposeBuffers()
    {
        Codes.Dispose();
        Absmax.Dispose();
    }
}
