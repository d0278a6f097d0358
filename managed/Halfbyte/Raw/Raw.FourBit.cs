namespace Halfbyte;

/// <summary>
/// The raw door: the operations on an engine's own pointers, one call of the C library each, with the checks of the C library and
/// no others. Nothing here keeps anything alive or allocates. <c>stream</c> is a <see cref="ComputeStream.Handle"/>; data pointers are of its
/// device, spans are of the host. The rules of each operation are in the C header, <c>halfbyte.h</c>.
/// </summary>
/// <remarks>A wrong pointer here is what it is in C: undefined behaviour.</remarks>
public static unsafe partial class Raw
{
    /// <summary>Quantizes <paramref name="n"/> elements to 4 bits, with one statistic per block.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="input">[n] of <paramref name="dtype"/>.</param>
    /// <param name="dtype">The type of the input.</param>
    /// <param name="n">Elements.</param>
    /// <param name="blockSize">32, 64, 128, 256, 512, 1024, 2048 or 4096.</param>
    /// <param name="quantType">The format.</param>
    /// <param name="codebook">16 values for <see cref="QuantType.Custom"/>, as <see cref="FourBitOptions.Codebook"/> says, else empty.</param>
    /// <param name="packed">uint8 [(n+1)/2].</param>
    /// <param name="absmax">float32 [ceil(n / blockSize)].</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void QuantizeFourBit(
        nint stream, nint input, DType dtype, long n, long blockSize, QuantType quantType, ReadOnlySpan<float> codebook, nint packed, nint absmax)
    {
        if (codebook.Length is not (0 or 16))
        {
            throw Check.Size($"'codebook' has {codebook.Length} values; a 4-bit table has 16, and NF4 and FP4 bring their own.");
        }

        fixed (float* table = codebook)
        {
            NativeStatus.Check(Native.halfbyte_quantize_4bit(
                stream, input, (int)dtype, n, blockSize, (int)quantType, table, (byte*)packed, (float*)absmax));
        }
    }

    /// <summary>Writes all values of a 4-bit weight, rounded once to <paramref name="dtype"/>.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="weight">The weight.</param>
    /// <param name="output">[N*K] of <paramref name="dtype"/>.</param>
    /// <param name="dtype">The type of the output.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void DequantizeFourBit(nint stream, in FourBitWeight weight, nint output, DType dtype)
    {
        fixed (FourBitWeight* w = &weight)
        {
            NativeStatus.Check(Native.halfbyte_dequantize_4bit(stream, (nint)w, output, (int)dtype));
        }
    }

    /// <summary>
    /// <c>output[m, k] = W[indices[m], k]</c>, rounded once to <paramref name="dtype"/>. On the CPU an index that is no row is refused; on
    /// another device, where nobody reads the indices before the work runs, its row of the output is NaN.
    /// </summary>
    /// <param name="stream">The stream.</param>
    /// <param name="weight">W [N, K].</param>
    /// <param name="indices">[M] of <paramref name="indexType"/>.</param>
    /// <param name="indexType">The type of the indices.</param>
    /// <param name="m">M, how many indices there are.</param>
    /// <param name="output">[M, K] of <paramref name="dtype"/>.</param>
    /// <param name="dtype">The type of the output.</param>
    /// <param name="ldoutput">Elements between the starts of two rows of the output.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void LookupFourBit(
        nint stream, in FourBitWeight weight, nint indices, IndexType indexType, long m, nint output, DType dtype, long ldoutput)
    {
        fixed (FourBitWeight* w = &weight)
        {
            NativeStatus.Check(Native.halfbyte_lookup_4bit(
                stream, (nint)w, indices, (int)indexType, m, output, (int)dtype, ldoutput));
        }
    }

    /// <summary><c>y_i[M, N_i] = x[M, K] * W_i[N_i, K]^T + bias_i[N_i]</c> for each weight, float32 accumulation, one rounding.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="weights">The weights, all of the same K.</param>
    /// <param name="x">[M, K] of <paramref name="dtype"/>.</param>
    /// <param name="dtype">The type of x and of every y.</param>
    /// <param name="m">M, rows of activations.</param>
    /// <param name="ldx">Elements between the starts of two rows of x.</param>
    /// <param name="outputs">One per weight.</param>
    /// <param name="workspace">Scratch memory of the device, aligned to 64 bytes.</param>
    /// <param name="workspaceBytes">Its length, at least what <see cref="MatMulFourBitWorkspace"/> returns.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void MatMulFourBit(
        nint stream,
        ReadOnlySpan<FourBitWeight> weights,
        nint x,
        DType dtype,
        long m,
        long ldx,
        ReadOnlySpan<ProductOutput> outputs,
        nint workspace,
        long workspaceBytes)
    {
        SameCount(weights.Length, outputs.Length, nameof(outputs));
        fixed (FourBitWeight* w = weights)
        fixed (ProductOutput* o = outputs)
        {
            NativeStatus.Check(Native.halfbyte_matmul_4bit(
                stream, weights.Length, (nint)w, x, (int)dtype, m, ldx, (nint)o, workspace, workspaceBytes));
        }
    }

    /// <summary>Bytes of workspace for <see cref="MatMulFourBit"/>.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="weights">The weights; their pointers are not read.</param>
    /// <param name="dtype">The type of x and y.</param>
    /// <param name="m">M, rows of activations.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static long MatMulFourBitWorkspace(nint stream, ReadOnlySpan<FourBitWeight> weights, DType dtype, long m)
    {
        long bytes;
        fixed (FourBitWeight* w = weights)
        {
            NativeStatus.Check(Native.halfbyte_matmul_4bit_workspace(stream, weights.Length, (nint)w, (int)dtype, m, &bytes));
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
    /// <param name="workspaceBytes">Its length, at least what <see cref="MatMulFourBitTransposedWorkspace"/> returns.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static void MatMulFourBitTransposed(
        nint stream,
        ReadOnlySpan<FourBitWeight> weights,
        ReadOnlySpan<ProductGradient> gradients,
        DType dtype,
        long m,
        nint dx,
        long lddx,
        nint workspace,
        long workspaceBytes)
    {
        SameCount(weights.Length, gradients.Length, nameof(gradients));
        fixed (FourBitWeight* w = weights)
        fixed (ProductGradient* g = gradients)
        {
            NativeStatus.Check(Native.halfbyte_matmul_4bit_transposed(
                stream, weights.Length, (nint)w, (nint)g, (int)dtype, m, dx, lddx, workspace, workspaceBytes));
        }
    }

    /// <summary>Bytes of workspace for <see cref="MatMulFourBitTransposed"/>.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="weights">The weights; their pointers are not read.</param>
    /// <param name="dtype">The type of dx and dy.</param>
    /// <param name="m">M, rows of activations.</param>
    /// <exception cref="HalfbyteArgumentException">The C library refused an argument; the message names it.</exception>
    public static long MatMulFourBitTransposedWorkspace(nint stream, ReadOnlySpan<FourBitWeight> weights, DType dtype, long m)
    {
        long bytes;
        fixed (FourBitWeight* w = weights)
        {
            NativeStatus.Check(Native.halfbyte_matmul_4bit_transposed_workspace(
                stream, weights.Length, (nint)w, (int)dtype, m, &bytes));
        }

        return bytes;
    }

    private static void SameCount(int weights, int others, string name)
    {
        if (weights != others)
        {
            throw Check.Size($"'{name}' has {others} entries for {weights} weights; there must be one per weight.");
        }
    }
}
