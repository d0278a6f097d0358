namespace Halfbyte;

/// <summary>
/// Blockwise 8-bit codes: the nearest of 256 table values times one statistic per block. Dettmers et al., "8-bit Optimizers via
/// Block-wise Quantization", 2022.
/// </summary>
public static unsafe class Blockwise
{
    /// <summary>The signed dynamic map, ascending, -0.99296874 to 1: the table where none is given.</summary>
    public static ReadOnlySpan<float> DynamicMapSigned => Codebooks.DynamicSigned;

    /// <summary>The unsigned dynamic map, ascending, 0 to 1.</summary>
    public static ReadOnlySpan<float> DynamicMapUnsigned => Codebooks.DynamicUnsigned;

    /// <summary>Quantizes host memory.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="stream">The stream that does it.</param>
    /// <param name="input">[n].</param>
    /// <param name="blockSize">A power of two from 32 to 4096.</param>
    /// <param name="codes">[n], written.</param>
    /// <param name="absmax">[ceil(n / blockSize)], written.</param>
    /// <param name="codebook">256 values relative to absmax: non-decreasing, from -1 to 1, not all equal; empty for the signed dynamic map.</param>
    /// <exception cref="HalfbyteArgumentException">A length does not fit, or the block size or table is not accepted.</exception>
    public static void Quantize<T>(
        ComputeStream stream, ReadOnlySpan<T> input, int blockSize, Span<byte> codes, Span<float> absmax, ReadOnlySpan<float> codebook = default)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(stream);
        DType dtype = DTypes.Of<T>();
        CheckSpans(input.Length, blockSize, codes.Length, absmax.Length, codebook.Length);
        fixed (T* inputHost = input)
        fixed (byte* codesHost = codes)
        fixed (float* absmaxHost = absmax)
        fixed (float* codebookHost = codebook)
        {
            using var source = HostMemory.Input(stream, inputHost, (long)input.Length * sizeof(T));
            using var table = HostMemory.Input(stream, codebookHost, (long)codebook.Length * sizeof(float));
            using var outCodes = HostMemory.Output(stream, codesHost, codes.Length);
            using var outAbsmax = HostMemory.Output(stream, absmaxHost, (long)absmax.Length * sizeof(float));
            using var lease = new Lease(stream.SafeHandle);
            Raw.QuantizeBlockwise(
                stream.Handle, source.Pointer, dtype, input.Length, blockSize, table.Pointer, outCodes.Pointer, outAbsmax.Pointer);
            outCodes.Fetch();
            outAbsmax.Fetch();
        }
    }

    /// <summary>Quantizes device memory.</summary>
    /// <param name="stream">A stream of the buffers' device.</param>
    /// <param name="input">[n] of <paramref name="dtype"/>.</param>
    /// <param name="dtype">The type of the input.</param>
    /// <param name="n">Elements.</param>
    /// <param name="blockSize">A power of two from 32 to 4096.</param>
    /// <param name="codes">uint8 [n], written.</param>
    /// <param name="absmax">float32 [ceil(n / blockSize)], written.</param>
    /// <param name="codebook">float32 [256], relative to absmax: non-decreasing, from -1 to 1, not all equal; null for the signed dynamic map.</param>
    /// <exception cref="HalfbyteArgumentException">A buffer is too short or on another device, or the block size is not accepted.</exception>
    public static void Quantize(
        ComputeStream stream,
        DeviceBuffer input,
        DType dtype,
        long n,
        int blockSize,
        DeviceBuffer codes,
        DeviceBuffer absmax,
        DeviceBuffer? codebook = null)
    {
        CheckBuffers(stream, input, dtype, n, blockSize, codes, absmax, codebook);
        using var lease = new Lease(input.SafeHandle, codes.SafeHandle, absmax.SafeHandle, codebook?.SafeHandle);
        Raw.QuantizeBlockwise(
            stream.Handle, input.Pointer, dtype, n, blockSize, codebook?.Pointer ?? 0, codes.Pointer, absmax.Pointer);
    }

    /// <summary>Restores values to host memory, each rounded once to <typeparamref name="T"/>.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="stream">The stream that does it.</param>
    /// <param name="codes">[n].</param>
    /// <param name="absmax">[ceil(n / blockSize)].</param>
    /// <param name="blockSize">A power of two from 32 to 4096.</param>
    /// <param name="output">[n], written.</param>
    /// <param name="codebook">256 values; empty for the signed dynamic map.</param>
    /// <exception cref="HalfbyteArgumentException">A length does not fit, or the block size is not accepted.</exception>
    public static void Dequantize<T>(
        ComputeStream stream, ReadOnlySpan<byte> codes, ReadOnlySpan<float> absmax, int blockSize, Span<T> output, ReadOnlySpan<float> codebook = default)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(stream);
        DType dtype = DTypes.Of<T>();
        CheckSpans(output.Length, blockSize, codes.Length, absmax.Length, codebook.Length);
        fixed (byte* codesHost = codes)
        fixed (float* absmaxHost = absmax)
        fixed (float* codebookHost = codebook)
        fixed (T* outputHost = output)
        {
            using var sourceCodes = HostMemory.Input(stream, codesHost, codes.Length);
            using var sourceAbsmax = HostMemory.Input(stream, absmaxHost, (long)absmax.Length * sizeof(float));
            using var table = HostMemory.Input(stream, codebookHost, (long)codebook.Length * sizeof(float));
            using var target = HostMemory.Output(stream, outputHost, (long)output.Length * sizeof(T));
            using var lease = new Lease(stream.SafeHandle);
            Raw.DequantizeBlockwise(
                stream.Handle, sourceCodes.Pointer, sourceAbsmax.Pointer, output.Length, blockSize, table.Pointer, target.Pointer, dtype);
            target.Fetch();
        }
    }

    /// <summary>Restores values to device memory, each rounded once to <paramref name="dtype"/>.</summary>
    /// <param name="stream">A stream of the buffers' device.</param>
    /// <param name="codes">uint8 [n].</param>
    /// <param name="absmax">float32 [ceil(n / blockSize)].</param>
    /// <param name="n">Elements.</param>
    /// <param name="blockSize">A power of two from 32 to 4096.</param>
    /// <param name="output">[n] of <paramref name="dtype"/>, written.</param>
    /// <param name="dtype">The type of the output.</param>
    /// <param name="codebook">float32 [256]; null for the signed dynamic map.</param>
    /// <exception cref="HalfbyteArgumentException">A buffer is too short or on another device, or the block size is not accepted.</exception>
    public static void Dequantize(
        ComputeStream stream,
        DeviceBuffer codes,
        DeviceBuffer absmax,
        long n,
        int blockSize,
        DeviceBuffer output,
        DType dtype,
        DeviceBuffer? codebook = null)
    {
        CheckBuffers(stream, output, dtype, n, blockSize, codes, absmax, codebook);
        using var lease = new Lease(output.SafeHandle, codes.SafeHandle, absmax.SafeHandle, codebook?.SafeHandle);
        Raw.DequantizeBlockwise(
            stream.Handle, codes.Pointer, absmax.Pointer, n, blockSize, codebook?.Pointer ?? 0, output.Pointer, dtype);
    }

    private static void CheckSpans(int n, int blockSize, int codes, int absmax, int codebook)
    {
        Check.BlockSize(blockSize);
        Check.SpanLength(codes, n, "codes");
        Check.SpanLength(absmax, FourBit.BlockCount(n, blockSize), "absmax");
        if (codebook != 0)
        {
            Check.SpanLength(codebook, 256, "codebook");
        }
    }

    private static void CheckBuffers(
        ComputeStream stream,
        DeviceBuffer values,
        DType dtype,
        long n,
        int blockSize,
        DeviceBuffer codes,
        DeviceBuffer absmax,
        DeviceBuffer? codebook)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        Check.BlockSize(blockSize);
        Check.Buffer(stream, values, "values", Check.ElementCount([n]) * dtype.SizeInBytes());
        Check.Buffer(stream, codes, nameof(codes), n);
        Check.Buffer(stream, absmax, nameof(absmax), FourBit.BlockCount(n, blockSize) * sizeof(float));
        if (codebook is not null)
        {
            Check.Buffer(stream, codebook, nameof(codebook), 256 * sizeof(float));
        }
    }
}
