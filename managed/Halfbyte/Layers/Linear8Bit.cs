namespace Halfbyte;

/// <summary>
/// A linear layer with an int8 weight: LLM.int8(), Dettmers et al., 2022. Activations are quantized row by row; columns that hold an
/// outlier are multiplied as they are. Activations are never converted to float16.
/// </summary>
public sealed unsafe partial class Linear8Bit : QuantizedLinear
{
    /// <summary>The threshold of the paper and of Hugging Face's configurations.</summary>
    public const float DefaultThreshold = 6.0f;

    private readonly Int8Weight _descriptor;
    private float _threshold = DefaultThreshold;

    /// <summary>Makes a layer that owns its weight and bias.</summary>
    /// <param name="weight">[N, K].</param>
    /// <param name="bias">[N] on the weight's device, or null.</param>
    /// <param name="biasDType">The type of the bias; it need not be that of the activations.</param>
    /// <exception cref="HalfbyteArgumentException">The bias has not N elements, or is on another device.</exception>
    public Linear8Bit(Int8Tensor weight, DeviceBuffer? bias = null, DType biasDType = DType.Float32)
        : this(weight, bias, biasDType, ownsParts: true)
    {
    }

    internal Linear8Bit(Int8Tensor weight, DeviceBuffer? bias, DType biasDType, bool ownsParts)
        : base(weight, bias, biasDType, ownsParts)
    {
        Weight = weight;
        _descriptor = weight.Descriptor;
    }

    /// <summary>The weight.</summary>
    public Int8Tensor Weight { get; }

    /// <summary>Magnitude from which on an activation is an outlier; 0 for none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative or not a number.</exception>
    public float Threshold
    {
        get => _threshold;
        set
        {
            if (!(value >= 0))
            {
                throw new ArgumentOutOfRangeException(nameof(value), value, "a threshold is 0 (no outliers) or positive.");
            }

            _threshold = value;
        }
    }

    /// <inheritdoc/>
    public override void Forward(ComputeStream stream, in ActivationsView x, in ActivationsView y)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CheckForward(x, y);
        using var lease = new Lease(Held, x.ToHold(stream), y.ToHold(stream));
        Int8Weight weight = _descriptor;
        ProductOutput output = Output(y);
        MatMul(stream, 1, &weight, x, _threshold, &output);
        GC.KeepAlive(stream);
    }

    /// <inheritdoc/>
    public override void Backward(ComputeStream stream, in ActivationsView dy, in ActivationsView dx)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CheckBackward(dy, dx);
        using var lease = new Lease(Held, dy.ToHold(stream), dx.ToHold(stream));
        Int8Weight weight = _descriptor;
        ProductGradient gradient = Gradient(dy);
        MatMulTransposed(stream, 1, &weight, &gradient, dx);
        GC.KeepAlive(stream);
    }

    /// <inheritdoc/>
    public override long ForwardWorkspace(ComputeStream stream, DType dtype, long m)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return Raw.MatMulInt8Workspace(stream.Handle, new ReadOnlySpan<Int8Weight>(in _descriptor), dtype, m, _threshold);
    }

    /// <inheritdoc/>
    public override long BackwardWorkspace(ComputeStream stream, DType dtype, long m)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return Raw.MatMulInt8TransposedWorkspace(stream.Handle, new ReadOnlySpan<Int8Weight>(in _descriptor), dtype, m);
    }

    /// <summary>The call of the C library, on a workspace that grows to what it needs. Whoever calls holds what the pointers point to.</summary>
    private static void MatMul(
        ComputeStream stream, int count, Int8Weight* weights, in ActivationsView x, float threshold, ProductOutput* outputs)
    {
        StreamHandle handle = stream.SafeHandle;
        int status = Native.halfbyte_matmul_int8(
            handle.Pointer,
            count,
            (nint)weights,
            x.Pointer,
            (int)x.DType,
            x.Rows,
            x.LeadingDimension,
            threshold,
            (nint)outputs,
            handle.Workspace,
            handle.WorkspaceBytes);
        if (status != 0)
        {
            NativeStatus.ThrowUnlessWorkspaceTooSmall(status);
            stream.GrowWorkspace(Raw.MatMulInt8Workspace(handle.Pointer, new(weights, count), x.DType, x.Rows, threshold), status);
            MatMul(stream, count, weights, x, threshold, outputs);
        }
    }

    private static void MatMulTransposed(
        ComputeStream stream, int count, Int8Weight* weights, ProductGradient* gradients, in ActivationsView dx)
    {
        StreamHandle handle = stream.SafeHandle;
        int status = Native.halfbyte_matmul_int8_transposed(
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
            stream.GrowWorkspace(Raw.MatMulInt8TransposedWorkspace(handle.Pointer, new(weights, count), dx.DType, dx.Rows), status);
            MatMulTransposed(stream, count, weights, gradients, dx);
        }
    }
}
