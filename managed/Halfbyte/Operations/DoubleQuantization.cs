namespace Halfbyte;

/// <summary>
/// The statistics of a 4-bit tensor stored in 8 bits: their mean is subtracted, the rest quantized with the signed dynamic map in
/// blocks of 256. "QLoRA", 2023, section 3. <see cref="FourBitOptions.DoubleQuantize"/> does it while quantizing.
/// </summary>
public static class DoubleQuantization
{
    /// <summary>Statistics per nested statistic.</summary>
    public const int BlockSize = 256;

    /// <summary>Number of nested statistics: <c>ceil(count / 256)</c>.</summary>
    /// <param name="count">Statistics.</param>
    public static long NestedCount(long count) => FourBit.BlockCount(count, BlockSize);

    /// <summary>Quantizes statistics.</summary>
    /// <param name="stream">A stream of the buffers' device.</param>
    /// <param name="absmax">float32 [count].</param>
    /// <param name="count">Statistics.</param>
    /// <param name="codes">uint8 [count], written.</param>
    /// <param name="nestedAbsmax">float32 [ceil(count / 256)], written.</param>
    /// <param name="offset">float32 [1], written: the mean.</param>
    /// <exception cref="HalfbyteArgumentException">A buffer is too short or on another device.</exception>
    public static void Quantize(
        ComputeStream stream, DeviceBuffer absmax, long count, DeviceBuffer codes, DeviceBuffer nestedAbsmax, DeviceBuffer offset)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CheckParts(stream, absmax, count, codes, nestedAbsmax, offset);
        using var lease = new Lease(absmax.SafeHandle, codes.SafeHandle, nestedAbsmax.SafeHandle, offset.SafeHandle);
        Raw.DoubleQuantize(stream.Handle, absmax.Pointer, count, codes.Pointer, nestedAbsmax.Pointer, offset.Pointer);
    }

    /// <summary>Restores statistics: <c>codebook[codes[b]] * nestedAbsmax[b / 256] + offset</c>.</summary>
    /// <param name="stream">A stream of the buffers' device.</param>
    /// <param name="codes">uint8 [count].</param>
    /// <param name="nestedAbsmax">float32 [ceil(count / 256)].</param>
    /// <param name="offset">float32 [1].</param>
    /// <param name="codebook">float32 [256] as a checkpoint stores it; null for the signed dynamic map.</param>
    /// <param name="count">Statistics.</param>
    /// <param name="absmax">float32 [count], written.</param>
    /// <exception cref="HalfbyteArgumentException">A buffer is too short or on another device.</exception>
    public static void Dequantize(
        ComputeStream stream,
        DeviceBuffer codes,
        DeviceBuffer nestedAbsmax,
        DeviceBuffer offset,
        DeviceBuffer? codebook,
        long count,
        DeviceBuffer absmax)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CheckParts(stream, absmax, count, codes, nestedAbsmax, offset);
        if (codebook is not null)
        {
            Check.Buffer(stream, codebook, nameof(codebook), 256 * sizeof(float));
        }

        using var lease = new Lease(absmax.SafeHandle, codes.SafeHandle, nestedAbsmax.SafeHandle, offset.SafeHandle);
        using var tableLease = new Lease(codebook?.SafeHandle);
        Raw.DoubleDequantize(
            stream.Handle, codes.Pointer, nestedAbsmax.Pointer, offset.Pointer, codebook?.Pointer ?? 0, count, absmax.Pointer);
    }

    private static void CheckParts(
        ComputeStream stream, DeviceBuffer absmax, long count, DeviceBuffer codes, DeviceBuffer nestedAbsmax, DeviceBuffer offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        Check.Buffer(stream, absmax, nameof(absmax), Check.ElementCount([count]) * sizeof(float));
        Check.Buffer(stream, codes, nameof(codes), count);
        Check.Buffer(stream, nestedAbsmax, nameof(nestedAbsmax), NestedCount(count) * sizeof(float));
        Check.Buffer(stream, offset, nameof(offset), sizeof(float));
    }
}
