using System.Runtime.CompilerServices;

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
        : base(weight, Hold(weight, bias, biasDType), bias, biasDType, ownsParts)
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
        StreamHandle handle = stream.SafeHandle;
        using var lease = new Lease(Held, x.ToHold(handle), y.ToHold(handle));
        Int8Weight weight = _descriptor;
        ProductOutput output = Output(y);
        int status = Native.halfbyte_matmul_int8(
            handle.Pointer,
            1,
            (nint)(&weight),
            x.Pointer,
            (int)x.DType,
            x.Rows,
            x.LeadingDimension,
            _threshold,
            (nint)(&output),
            handle.Workspace,
            handle.WorkspaceBytes);
        if (status != 0)
        {
            NativeStatus.ThrowUnlessWorkspaceTooSmall(status);
            stream.GrowWorkspace(ForwardWorkspace(stream, x.DType, x.Rows), status);
            Forward(stream, x, y);
        }

        GC.KeepAlive(stream);
    }

    /// <inheritdoc/>
    public override void Backward(ComputeStream stream, in ActivationsView dy, in ActivationsView dx)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CheckBackward(dy, dx);
        StreamHandle handle = stream.SafeHandle;
        using var lease = new Lease(Held, dy.ToHold(handle), dx.ToHold(handle));
        Int8Weight weight = _descriptor;
        var gradient = new ProductGradient { Dy = dy.Pointer, LeadingDimension = dy.LeadingDimension };
        int status = Native.halfbyte_matmul_int8_transposed(
            handle.Pointer,
            1,
            (nint)(&weight),
            (nint)(&gradient),
            (int)dy.DType,
            dy.Rows,
            dx.Pointer,
            dx.LeadingDimension,
            handle.Workspace,
            handle.WorkspaceBytes);
        if (status != 0)
        {
            NativeStatus.ThrowUnlessWorkspaceTooSmall(status);
            stream.GrowWorkspace(BackwardWorkspace(stream, dy.DType, dy.Rows), status);
            Backward(stream, dy, dx);
        }

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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ProductOutput Output(in ActivationsView y) => new()
    {
        Y = y.Pointer,
        LeadingDimension = y.LeadingDimension,
        Bias = BiasPointer,
        BiasDType = BiasDType,
    };

    private static HandleSet Hold(Int8Tensor weight, DeviceBuffer? bias, DType biasDType)
    {
        ArgumentNullException.ThrowIfNull(weight);
        CheckBias(weight, bias, biasDType);
        return weight.Hold(bias);
    }
}
