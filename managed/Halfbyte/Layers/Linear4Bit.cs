using System.Runtime.CompilerServices;

namespace Halfbyte;

/// <summary>
/// A linear layer with a 4-bit weight. Table values and statistics stay exact, accumulation is float32, y is rounded once: at least as
/// accurate as dequantizing and multiplying.
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
        : base(weight, Hold(weight, bias, biasDType), bias, biasDType, ownsParts)
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
        StreamHandle handle = stream.SafeHandle;
        using var lease = new Lease(Held, x.ToHold(handle), y.ToHold(handle));
        FourBitWeight weight = _descriptor;
        ProductOutput output = Output(y);
        int status = Native.halfbyte_matmul_4bit(
            handle.Pointer,
            1,
            (nint)(&weight),
            x.Pointer,
            (int)x.DType,
            x.Rows,
            x.LeadingDimension,
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
        FourBitWeight weight = _descriptor;
        var gradient = new ProductGradient { Dy = dy.Pointer, LeadingDimension = dy.LeadingDimension };
        int status = Native.halfbyte_matmul_4bit_transposed(
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
        return Raw.MatMulFourBitWorkspace(stream.Handle, new ReadOnlySpan<FourBitWeight>(in _descriptor), dtype, m);
    }

    /// <inheritdoc/>
    public override long BackwardWorkspace(ComputeStream stream, DType dtype, long m)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return Raw.MatMulFourBitTransposedWorkspace(stream.Handle, new ReadOnlySpan<FourBitWeight>(in _descriptor), dtype, m);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ProductOutput Output(in ActivationsView y) => new()
    {
        Y = y.Pointer,
        LeadingDimension = y.LeadingDimension,
        Bias = BiasPointer,
        BiasDType = BiasDType,
    };

    private static HandleSet Hold(FourBitTensor weight, DeviceBuffer? bias, DType biasDType)
    {
        ArgumentNullException.ThrowIfNull(weight);
        CheckBias(weight, bias, biasDType);
        return weight.Hold(bias);
    }
}
