namespace Halfbyte;

public static unsafe partial class Raw
{
    /// <summary>Quantizes <paramref name="n"/> elements to 8 bits, with one statistic per block: the nearest table value, ties to the even code.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="input">[n] of <paramref name="dtype"/>.</param>
    /// <param name="dtype">The type of the input.</param>
    /// <param name="n">Elements.</param>
    /// <param name="blockSize">A power of two from 32 to 4096.</param>
    /// <param name="codebook">float32 [256] of the stream's device, non-decreasing, from -1 to 1; null for the signed dynamic map.</param>
    /// <param name="codes">uint8 [n].</param>
    /// <param name="absmax">float32 [ceil(n / blockSize)].</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void QuantizeBlockwise(
        nint stream, nint input, DType dtype, long n, long blockSize, nint codebook, nint codes, nint absmax) =>
        NativeStatus.Check(Native.halfbyte_quantize_blockwise(
            stream, input, (int)dtype, n, blockSize, (float*)codebook, (byte*)codes, (float*)absmax));

    /// <summary><c>output[i] = codebook[codes[i]] * absmax[i / blockSize]</c>, rounded once to <paramref name="dtype"/>.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="codes">uint8 [n].</param>
    /// <param name="absmax">float32 [ceil(n / blockSize)].</param>
    /// <param name="n">Elements.</param>
    /// <param name="blockSize">A power of two from 32 to 4096.</param>
    /// <param name="codebook">float32 [256] of the stream's device; null for the signed dynamic map.</param>
    /// <param name="output">[n] of <paramref name="dtype"/>.</param>
    /// <param name="dtype">The type of the output.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void DequantizeBlockwise(
        nint stream, nint codes, nint absmax, long n, long blockSize, nint codebook, nint output, DType dtype) =>
        NativeStatus.Check(Native.halfbyte_dequantize_blockwise(
            stream, (byte*)codes, (float*)absmax, n, blockSize, (float*)codebook, output, (int)dtype));

    /// <summary>Stores the statistics of a 4-bit tensor in 8 bits, after subtracting their mean.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="absmax">float32 [count].</param>
    /// <param name="count">Statistics.</param>
    /// <param name="codes">uint8 [count].</param>
    /// <param name="nestedAbsmax">float32 [ceil(count / 256)].</param>
    /// <param name="offset">float32 [1]: the mean.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void DoubleQuantize(nint stream, nint absmax, long count, nint codes, nint nestedAbsmax, nint offset) =>
        NativeStatus.Check(Native.halfbyte_double_quantize(
            stream, (float*)absmax, count, (byte*)codes, (float*)nestedAbsmax, (float*)offset));

    /// <summary><c>absmax[b] = codebook[codes[b]] * nestedAbsmax[b / 256] + offset[0]</c>.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="codes">uint8 [count].</param>
    /// <param name="nestedAbsmax">float32 [ceil(count / 256)].</param>
    /// <param name="offset">float32 [1].</param>
    /// <param name="codebook">float32 [256] of the stream's device; null for the signed dynamic map.</param>
    /// <param name="count">Statistics.</param>
    /// <param name="absmax">float32 [count].</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void DoubleDequantize(
        nint stream, nint codes, nint nestedAbsmax, nint offset, nint codebook, long count, nint absmax) =>
        NativeStatus.Check(Native.halfbyte_double_dequantize(
            stream, (byte*)codes, (float*)nestedAbsmax, (float*)offset, (float*)codebook, count, (float*)absmax));
}
