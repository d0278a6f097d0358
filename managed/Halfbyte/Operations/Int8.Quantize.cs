namespace Halfbyte;

/// <summary>
/// Row-wise int8 tensors: quantize, dequantize, multiply. Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at
/// Scale", 2022.
/// </summary>
public static unsafe partial class Int8
{
    /// <summary>Quantizes a weight that is in host memory, one statistic per row.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="stream">Where to.</param>
    /// <param name="weight">[n, k], row-major.</param>
    /// <param name="n">Rows: output features.</param>
    /// <param name="k">Columns: input features.</param>
    /// <exception cref="HalfbyteArgumentException">The span has not n * k elements.</exception>
    public static Int8Tensor Quantize<T>(ComputeStream stream, ReadOnlySpan<T> weight, long n, long k)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(stream);
        DType dtype = DTypes.Of<T>();
        Check.SpanLength(weight.Length, Check.ElementCount([n, k]), nameof(weight));
        fixed (T* host = weight)
        {
            using var input = HostMemory.Input(stream, host, (long)weight.Length * sizeof(T));
            return Quantize(stream, input.Pointer, dtype, n, k);
        }
    }

    /// <summary>Quantizes a weight that is on the device, one statistic per row.</summary>
    /// <param name="stream">A stream of that device.</param>
    /// <param name="weight">[n, k], row-major, of <paramref name="dtype"/>.</param>
    /// <param name="dtype">The type of the elements.</param>
    /// <param name="n">Rows: output features.</param>
    /// <param name="k">Columns: input features.</param>
    /// <exception cref="HalfbyteArgumentException">The buffer is too short or on another device.</exception>
    public static Int8Tensor Quantize(ComputeStream stream, DeviceBuffer weight, DType dtype, long n, long k)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Check.Buffer(stream, weight, nameof(weight), Check.ElementCount([n, k]) * dtype.SizeInBytes());
        using var lease = new Lease(weight.SafeHandle);
        return Quantize(stream, weight.SafeHandle.Pointer, dtype, n, k);
    }

    /// <summary>
    /// Quantizes the rows of activations, as <see cref="MatMul"/> does: a column that holds an element of at least
    /// <paramref name="threshold"/> is an outlier column, and all its codes are 0.
    /// </summary>
    /// <param name="stream">A stream of the buffers' device.</param>
    /// <param name="x">[rows, cols].</param>
    /// <param name="threshold">Magnitude from which on an element is an outlier; 0 for none.</param>
    /// <param name="codes">int8 [rows, cols], written.</param>
    /// <param name="absmax">float32 [rows], written.</param>
    /// <param name="outlierColumns">int64 [cols], written: the outlier columns, ascending; null if the threshold is 0.</param>
    /// <param name="outlierCount">int64 [1], written: their number; null if the threshold is 0.</param>
    /// <exception cref="HalfbyteArgumentException">A buffer is too short or on another device, or the threshold is negative.</exception>
    public static void QuantizeRows(
        ComputeStream stream,
        in ActivationsView x,
        float threshold,
        DeviceBuffer codes,
        DeviceBuffer absmax,
        DeviceBuffer? outlierColumns = null,
        DeviceBuffer? outlierCount = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Check.Buffer(stream, codes, nameof(codes), Check.ElementCount([x.Rows, x.Columns]));
        Check.Buffer(stream, absmax, nameof(absmax), Check.ElementCount([x.Rows]) * sizeof(float));
        if (threshold != 0)
        {
            Check.Buffer(stream, outlierColumns!, nameof(outlierColumns), Check.ElementCount([x.Columns]) * sizeof(long));
            Check.Buffer(stream, outlierCount!, nameof(outlierCount), sizeof(long));
        }

        x.CheckDevice(stream);
        using var lease = new Lease(x.Owner?.SafeHandle, codes.SafeHandle, absmax.SafeHandle);
        using var outlierLease = new Lease(outlierColumns?.SafeHandle, outlierCount?.SafeHandle);
        QuantizeRows(
            stream, x, threshold, codes.Pointer, absmax.Pointer, outlierColumns?.Pointer ?? 0, outlierCount?.Pointer ?? 0);
    }

    private static Int8Tensor Quantize(ComputeStream stream, nint weight, DType dtype, long n, long k)
    {
        using var allocations = new Allocations(stream);
        DeviceBuffer codes = allocations.Allocate(n * k);
        DeviceBuffer absmax = allocations.Allocate(n * sizeof(float));
        QuantizeRows(stream, new ActivationsView(weight, dtype, n, k), 0, codes.Pointer, absmax.Pointer, 0, 0);
        Int8Tensor tensor = Int8Tensor.FromBuffers(codes, absmax, [n, k], dtype);
        allocations.Keep();
        Log.Quantized(stream.Logger, tensor, stream);
        return tensor;
    }

    private static void QuantizeRows(
        ComputeStream stream, in ActivationsView x, float threshold, nint codes, nint absmax, nint outlierColumns, nint outlierCount)
    {
        using var lease = new Lease(stream.SafeHandle);
        stream.ReserveWorkspace(Raw.QuantizeInt8RowsWorkspace(stream.Handle, x.Rows, x.Columns, threshold));
        Raw.QuantizeInt8Rows(
            stream.Handle,
            x.Pointer,
            x.DType,
            x.Rows,
            x.Columns,
            x.LeadingDimension,
            threshold,
            codes,
            absmax,
            outlierColumns,
            outlierCount,
            stream.SafeHandle.Workspace,
            stream.WorkspaceBytes);
    }
}
