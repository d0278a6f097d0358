namespace Halfbyte;

public static unsafe partial class FourBit
{
    /// <summary>Quantizes a weight that is in host memory.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="stream">Where to.</param>
    /// <param name="weight">[n, k], row-major.</param>
    /// <param name="n">Rows: output features.</param>
    /// <param name="k">Columns: input features.</param>
    /// <param name="options">Format and block size; null for NF4 in blocks of 64.</param>
    /// <exception cref="HalfbyteArgumentException">The span has not n * k elements, or the options contradict themselves.</exception>
    public static FourBitTensor Quantize<T>(
        ComputeStream stream, ReadOnlySpan<T> weight, long n, long k, FourBitOptions? options = null)
        where T : unmanaged => Quantize(stream, weight, [n, k], options);

    /// <summary>Quantizes a tensor that is in host memory.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="stream">Where to.</param>
    /// <param name="weight">The elements, row-major.</param>
    /// <param name="shape">The dimensions; blocks run over the flat tensor whatever they are.</param>
    /// <param name="options">Format and block size; null for NF4 in blocks of 64.</param>
    /// <exception cref="HalfbyteArgumentException">The span has not as many elements as the shape, or the options contradict themselves.</exception>
    public static FourBitTensor Quantize<T>(
        ComputeStream stream, ReadOnlySpan<T> weight, ReadOnlySpan<long> shape, FourBitOptions? options = null)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(stream);
        DType dtype = DTypes.Of<T>();
        Check.SpanLength(weight.Length, Check.ElementCount(shape), nameof(weight));
        fixed (T* host = weight)
        {
            using var input = HostMemory.Input(stream, host, (long)weight.Length * sizeof(T));
            return Quantize(stream, input.Pointer, dtype, shape, options);
        }
    }

    /// <summary>Quantizes a tensor that is on the device.</summary>
    /// <param name="stream">A stream of that device.</param>
    /// <param name="weight">The elements, row-major.</param>
    /// <param name="dtype">Their type.</param>
    /// <param name="shape">The dimensions; blocks run over the flat tensor whatever they are.</param>
    /// <param name="options">Format and block size; null for NF4 in blocks of 64.</param>
    /// <exception cref="HalfbyteArgumentException">The buffer is too short or on another device, or the options contradict themselves.</exception>
    public static FourBitTensor Quantize(
        ComputeStream stream, DeviceBuffer weight, DType dtype, ReadOnlySpan<long> shape, FourBitOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Check.Buffer(stream, weight, nameof(weight), Check.ElementCount(shape) * dtype.SizeInBytes());
        using var lease = new Lease(weight.SafeHandle);
        return Quantize(stream, weight.SafeHandle.Pointer, dtype, shape, options);
    }

    private static FourBitTensor Quantize(
        ComputeStream stream, nint weight, DType dtype, ReadOnlySpan<long> shape, FourBitOptions? options)
    {
        options ??= FourBitOptions.Default;
        options.Validate();
        long elements = Check.ElementCount(shape);
        long blocks = BlockCount(elements, options.BlockSize);

        using var allocations = new Allocations(stream);
        DeviceBuffer packed = allocations.Allocate(PackedLength(elements));
        DeviceBuffer absmax = allocations.Allocate(blocks * sizeof(float));
        Raw.QuantizeFourBit(
            stream.Handle, weight, dtype, elements, options.BlockSize, options.QuantType, options.Codebook.Span, packed.Pointer, absmax.Pointer);

        var parts = new FourBitParts
        {
            QuantType = options.QuantType,
            BlockSize = options.BlockSize,
            Packed = packed,
            Absmax = absmax,
            Codebook = options.QuantType == QuantType.Custom ? allocations.Upload(options.Codebook.Span) : null,
        };
        if (options.DoubleQuantize)
        {
            parts = parts with
            {
                Absmax = allocations.Allocate(blocks),
                NestedAbsmax = allocations.Allocate(DoubleQuantization.NestedCount(blocks) * sizeof(float)),
                NestedCodebook = allocations.Upload(Codebooks.DynamicSigned),
                NestedOffset = allocations.Allocate(sizeof(float)),
            };
            DoubleQuantization.Quantize(stream, absmax, blocks, parts.Absmax, parts.NestedAbsmax, parts.NestedOffset);
        }

        FourBitTensor tensor = FourBitTensor.FromBuffers(parts, shape, dtype);
        allocations.Keep();
        if (options.DoubleQuantize)
        {
            absmax.Dispose();
        }

        Log.Quantized(stream.Logger, tensor, stream);
        return tensor;
    }
}
