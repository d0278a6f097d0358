namespace Halfbyte;

public static unsafe partial class Raw
{
    /// <summary>Quantizes each row to int8, leaving out columns that hold an outlier.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="input">[rows, cols] of <paramref name="dtype"/>.</param>
    /// <param name="dtype">The type of the input.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="cols">Columns.</param>
    /// <param name="ldinput">Elements between the starts of two rows of the input.</param>
    /// <param name="threshold">Magnitude from which on an element is an outlier; 0 for none.</param>
    /// <param name="codes">int8 [rows, cols].</param>
    /// <param name="absmax">float32 [rows].</param>
    /// <param name="outlierColumns">int64 [cols]; null if the threshold is 0.</param>
    /// <param name="outlierCount">int64 [1]; null if the threshold is 0.</param>
    /// <param name="workspace">Scratch memory of the device, aligned to 64 bytes.</param>
    /// <param name="workspaceBytes">Its length, at least what <see cref="QuantizeInt8RowsWorkspace"/> returns.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void QuantizeInt8Rows(
        nint stream,
        nint input,
        DType dtype,
        long rows,
        long cols,
        long ldinput,
        float threshold,
        nint codes,
        nint absmax,
        nint outlierColumns,
        nint outlierCount,
        nint workspace,
        long workspaceBytes) =>
        NativeStatus.Check(Native.halfbyte_quantize_int8_rows(
            stream,
            input,
            (int)dtype,
            rows,
            cols,
            ldinput,
            threshold,
            (sbyte*)codes,
            (float*)absmax,
            (long*)outlierColumns,
            (long*)outlierCount,
            workspace,
            workspaceBytes));

    /// <summary>Bytes of workspace for <see cref="QuantizeInt8Rows"/>.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="cols">Columns.</param>
    /// <param name="threshold">Magnitude from which on an element is an outlier; 0 for none.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static long QuantizeInt8RowsWorkspace(nint stream, long rows, long cols, float threshold)
    {
        long bytes;
        NativeStatus.Check(Native.halfbyte_quantize_int8_rows_workspace(stream, rows, cols, threshold, &bytes));
        return bytes;
    }

    /// <summary><c>output[n, k] = codes[n, k] * absmax[n] / 127</c>, rounded once to <paramref name="dtype"/>.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="weight">The weight.</param>
    /// <param name="output">[N, K] of <paramref name="dtype"/>, dense.</param>
    /// <param name="dtype">The type of the output.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void DequantizeInt8(nint stream, in Int8Weight weight, nint output, DType dtype)
    {
        fixed (Int8Weight* w = &weight)
        {
            NativeStatus.Check(Native.halfbyte_dequantize_int8(stream, (nint)w, output, (int)dtype));
        }
    }

    /// <summary>LLM.int8(): <c>y_i[M, N_i] = x[M, K] * W_i[N_i, K]^T + bias_i[N_i]</c> with x in int8 but for its outlier columns.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="weights">The weights, all of the same K.</param>
    /// <param name="x">[M, K] of <paramref name="dtype"/>.</param>
    /// <param name="dtype">The type of x and of every y.</param>
    /// <param name="m">M, rows of activations.</param>
    /// <param name="ldx">Elements between the starts of two rows of x.</param>
    /// <param name="threshold">Magnitude from which on an activation is an outlier; 0 for none.</param>
    /// <param name="outputs">One per weight.</param>
    /// <param name="workspace">Scratch memory of the device, aligned to 64 bytes.</param>
    /// <param name="workspaceBytes">Its length, at least what <see cref="MatMulInt8Workspace"/> returns.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void MatMulInt8(
        nint stream,
        ReadOnlySpan<Int8Weight> weights,
        nint x,
        DType dtype,
        long m,
        long ldx,
        float threshold,
        ReadOnlySpan<ProductOutput> outputs,
        nint workspace,
        long workspaceBytes)
    {
        SameCount(weights.Length, outputs.Length, nameof(outputs));
        fixed (Int8Weight* w = weights)
        fixed (ProductOutput* o = outputs)
        {
            NativeStatus.Check(Native.halfbyte_matmul_int8(
                stream, weights.Length, (nint)w, x, (int)dtype, m, ldx, threshold, (nint)o, workspace, workspaceBytes));
        }
    }

    /// <summary>Bytes of workspace for <see cref="MatMulInt8"/>.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="weights">The weights; their pointers are not read.</param>
    /// <param name="dtype">The type of x and y.</param>
    /// <param name="m">M, rows of activations.</param>
    /// <param name="threshold">Magnitude from which on an activation is an outlier; 0 for none.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static long MatMulInt8Workspace(nint stream, ReadOnlySpan<Int8Weight> weights, DType dtype, long m, float threshold)
    {
        long bytes;
        fixed (Int8Weight* w = weights)
        {
            NativeStatus.Check(Native.halfbyte_matmul_int8_workspace(
                stream, weights.Length, (nint)w, (int)dtype, m, threshold, &bytes));
        }

        return bytes;
    }

    /// <summary><c>dx[M, K] = sum over i of dy_i[M, N_i] * W_i[N_i, K]</c>, float32 accumulation, one rounding.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="weights">The weights, all of the same K.</param>
    /// <param name="gradients">One per weight.</param>
    /// <param name="dtype">The type of dx and of every dy.</param>
    /// <param name="m">M, rows of activations.</param>
    /// <param name="dx">[M, K] of <paramref name="dtype"/>.</param>
    /// <param name="lddx">Elements between the starts of two rows of dx.</param>
    /// <param name="workspace">Scratch memory of the device, aligned to 64 bytes.</param>
    /// <param name="workspaceBytes">Its length, at least what <see cref="MatMulInt8TransposedWorkspace"/> returns.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void MatMulInt8Transposed(
        nint stream,
        ReadOnlySpan<Int8Weight> weights,
        ReadOnlySpan<ProductGradient> gradients,
        DType dtype,
        long m,
        nint dx,
        long lddx,
        nint workspace,
        long workspaceBytes)
    {
        SameCount(weights.Length, gradients.Length, nameof(gradients));
        fixed (Int8Weight* w = weights)
        fixed (ProductGradient* g = gradients)
        {
            NativeStatus.Check(Native.halfbyte_matmul_int8_transposed(
                stream, weights.Length, (nint)w, (nint)g, (int)dtype, m, dx, lddx, workspace, workspaceBytes));
        }
    }

    /// <summary>Bytes of workspace for <see cref="MatMulInt8Transposed"/>.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="weights">The weights; their pointers are not read.</param>
    /// <param name="dtype">The type of dx and dy.</param>
    /// <param name="m">M, rows of activations.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static long MatMulInt8TransposedWorkspace(nint stream, ReadOnlySpan<Int8Weight> weights, DType dtype, long m)
    {
        long bytes;
        fixed (Int8Weight* w = weights)
        {
            NativeStatus.Check(Native.halfbyte_matmul_int8_transposed_workspace(
                stream, weights.Length, (nint)w, (int)dtype, m, &bytes));
        }

        return bytes;
    }
}
