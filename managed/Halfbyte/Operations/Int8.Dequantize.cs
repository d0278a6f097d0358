namespace Halfbyte;

public static unsafe partial class Int8
{
    /// <summary>Writes all values to host memory, each rounded once to <typeparamref name="T"/>.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="stream">A stream of the tensor's device.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="output">As many elements as the tensor has, row-major.</param>
    /// <exception cref="HalfbyteArgumentException">The output has another length, or the tensor is on another device.</exception>
    public static void Dequantize<T>(ComputeStream stream, Int8Tensor tensor, Span<T> output)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(tensor);
        DType dtype = DTypes.Of<T>();
        Check.SpanLength(output.Length, tensor.ElementCount, nameof(output));
        Check.SameDevice(stream, tensor);
        fixed (T* host = output)
        {
            using var staged = HostMemory.Output(stream, host, (long)output.Length * sizeof(T));
            Dequantize(stream, tensor, staged.Pointer, dtype);
            staged.Fetch();
        }
    }

    /// <summary>Writes all values to device memory, each rounded once to <paramref name="dtype"/>.</summary>
    /// <param name="stream">A stream of the tensor's device.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="output">Room for as many elements as the tensor has.</param>
    /// <param name="dtype">Their type.</param>
    /// <exception cref="HalfbyteArgumentException">The output is too short, or something is on another device.</exception>
    public static void Dequantize(ComputeStream stream, Int8Tensor tensor, DeviceBuffer output, DType dtype)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(tensor);
        Check.SameDevice(stream, tensor);
        Check.Buffer(stream, output, nameof(output), tensor.ElementCount * dtype.SizeInBytes());
        using var lease = new Lease(output.SafeHandle);
        Dequantize(stream, tensor, output.SafeHandle.Pointer, dtype);
    }

    private static void Dequantize(ComputeStream stream, Int8Tensor tensor, nint output, DType dtype)
    {
        using HandleSet held = tensor.Hold(null);
        using var lease = new Lease(stream.SafeHandle);
        Raw.DequantizeInt8(stream.Handle, tensor.Descriptor, output, dtype);
    }
}
