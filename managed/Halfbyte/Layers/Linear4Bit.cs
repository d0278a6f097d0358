namespace Halfbyte;

/// <summary>
/// A linear layer with a 4-bit weight. Accumulation is float32 and y is rounded once, so it is at least as accurate as dequantizing to the
/// type of x and multiplying with float32 sums. On the CPU, and wherever x is float32, table values and statistics enter exactly; on CUDA, with
/// 16-bit x, a weight enters rounded to that type, because tensor cores multiply nothing else (halfbyte.h, section 10).
/// </summary>
public sealed unsafe partial class Linear4Bit : QuantizedLinear
{
    private readonly FourBitWeight _descriptor;

    /// <summary>Makes a layer that owns its weight and bias.</summary>
    /// <param name="weight">[N, K].</param>
    /// <param name="bias">[N] on the weight's device, or null.</param>
    /// <param name="biasDType">The type of the bias; it need not be that of the activations.</param>
    /// <exception cref="HalfbyteArgumentException">The bias has not N elements, or is on another device.</exception>
    public Linear4Bit(FourBitTensor weight, DeviceBuffer? bias = null, DType biasDType = DType.Float32)
        : this(weight, bias, biasDType, ownsParts: true)
    {
    }

    internal Linear4Bit(FourBitTensor weight, DeviceBuffer? bias, DType biasDType, bool ownsParts)
        : base(weight, bias, biasDType, ownsParts)
    {
        Weight = weight;
        _descriptor = weight.Descriptor;
    }

    /// <summary>The weight.</summary>
    public FourBitTensor Weight { get; }

    /// <inheritdoc/>
    public override void Forward(ComputeStream stream, in ActivationsView x, in ActivationsView y)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CheckForward(x, y);
        using var lease = new Lease(Held, x.ToHold(stream), y.ToHold(stream));
        FourBitWeight weight = _descriptor;
        ProductOutput output = Output(y);
        MatMul(stream, 1, &weight, x, &output);
        GC.KeepAlive(stream);
    }

    /// <inheritdoc/>
    public override void Backward(ComputeStream stream, in ActivationsView dy, in ActivationsView dx)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CheckBackward(dy, dx);
        using var lease = new Lease(Held, dy.ToHold(stream), dx.ToHold(stream));
        FourBitWeight weight = _descriptor;
        ProductGradient gradient = Gradient(dy);
        MatMulTransposed(stream, 1, &weight, &gradient, dx);
        GC.KeepAlive(stream);
    }

    /// <inheritdoc/>
    public override long ForwardWorkspace(ComputeStream stream, DType dtype, long m)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return Raw.MatMulFourBitWorkspace(stream.Handle, new ReadOnlySpan<FourBitWeight>(in _descriptor), dtype, m);
    }

    /// <inheritdoc/>
    public override long BackwardWorkspace(ComputeStream stream, DType dtype, long m)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return Raw.MatMulFourBitTransposedWorkspace(stream.Handle, new ReadOnlySpan<FourBitWeight>(in _descriptor), dtype, m);
    }

    /// <summary>The call of the C library, on a workspace that grows to what it needs. Whoever calls holds what the pointers point to.</summary>
    private static void MatMul(
        ComputeStream stream, int count, FourBitWeight* weights, in ActivationsView x, ProductOutput* outputs)
    {
        StreamHandle handle = stream.SafeHandle;
        int status = Native.halfbyte_matmul_4bit(
            handle.Pointer,
            count,
            (nint)weights,
            x.Pointer,
            (int)x.DType,
            x.Rows,
            x.LeadingDimension,
            (nint)outputs,
            handle.Workspace,
            handle.WorkspaceBytes);
        if (status != 0)
        {
            NativeStatus.ThrowUnlessWorkspaceTooSmall(status);
            stream.GrowWorkspace(Raw.MatMulFourBitWorkspace(handle.Pointer, new(weights, count), x.DType, x.Rows), status);
            MatMul(stream, count, weights, x, outputs);
        }
    }

    private static void MatMulTransposed(
        ComputeStream stream, int count, FourBitWeight* weights, ProductGradient* gradients, in ActivationsView dx)
    {
        StreamHandle handle = stream.SafeHandle;
        int status = Native.halfbyte_matmul_4bit_transposed(
            handle.Pointer,
            count,
            (nint)weights,
            (nint)gradients,
            (int)dx.DType,
            dx.Rows,
            dx.Pointer,
            dx.LeadingDimension,
            handle.Workspace,
            handle.WorkspaceBytes);
        if (status != 0)
        {
            NativeStatus.ThrowUnlessWorkspaceTooSmall(status);
            stream.GrowWorkspace(Raw.MatMulFourBitTransposedWorkspace(handle.Pointer, new(weights, count), dx.DType, dx.Rows), status);
            MatMulTransposed(stream, count, weights, gradients, dx);
        }
    }
}
