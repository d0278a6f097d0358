using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Halfbyte;

/// <summary>
/// A linear layer with a quantized weight, prepared for a hot loop: <c>y[M, N] = x[M, K] * W[N, K]^T + bias[N]</c>. A call is one call of the
/// native library; it allocates nothing, takes no lock and looks nothing up.
/// </summary>
/// <remarks>
/// The layer owns weight and bias and is immutable but for its settings, so any number of threads may call it, each with a stream of its own.
/// Where a call needs scratch memory the stream's workspace grows to it, once.
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
public abstract unsafe class QuantizedLinear : IDisposable
{
    private readonly QuantizedTensor _tensor;
    private readonly DeviceBuffer? _bias;
    private readonly bool _ownsParts;
    private readonly nint _biasPointer;

    private protected QuantizedLinear(QuantizedTensor weight, DeviceBuffer? bias, DType biasDType, bool ownsParts)
    {
        ArgumentNullException.ThrowIfNull(weight);
        CheckBias(weight, bias, biasDType);
        _tensor = weight;
        _bias = bias;
        _ownsParts = ownsParts;
        LeasedHandles = weight.Hold(bias);
        InFeatures = weight.Columns;
        OutFeatures = weight.Rows;
        _biasPointer = bias?.Pointer ?? 0;
        BiasDType = biasDType;
    }

    /// <summary>The name messages use; that of the weight.</summary>
    public string? Name => _tensor.Name;

    /// <summary>K: elements per row of x.</summary>
    public long InFeatures { get; }

    /// <summary>N: elements per row of y.</summary>
    public long OutFeatures { get; }

    /// <summary>The device of weight and bias.</summary>
    public Device Device => _tensor.Device;

    /// <summary>Whether a bias is added.</summary>
    public bool HasBias => _bias is not null;

    /// <summary>The type of the bias; of no meaning without one.</summary>
    public DType BiasDType { get; }

    /// <summary>What a call has to keep from being freed.</summary>
    /// <exception cref="ObjectDisposedException">The layer has been disposed.</exception>
    internal HandleSet Held
    {
        get
        {
            ObjectDisposedException.ThrowIf(LeasedHandles.IsClosed, this);
            return LeasedHandles;
        }
    }

    /// <summary>What a call took while the layer was open, and gives back whether it still is or not.</summary>
    internal HandleSet LeasedHandles { get; }

    /// <summary><c>y = x * W^T + bias</c>, enqueued on <paramref name="stream"/>.</summary>
    /// <param name="stream">A stream of the layer's device.</param>
    /// <param name="x">[M, K].</param>
    /// <param name="y">[M, N], of the type of x; must not overlap it.</param>
    /// <exception cref="HalfbyteArgumentException">Shapes, types or devices do not fit together; the message names them.</exception>
    /// <exception cref="ObjectDisposedException">The layer, the stream or a buffer has been disposed.</exception>
    public abstract void Forward(ComputeStream stream, in ActivationsView x, in ActivationsView y);

    /// <summary><c>dx = dy * W</c>, the gradient of x, enqueued on <paramref name="stream"/>.</summary>
    /// <param name="stream">A stream of the layer's device.</param>
    /// <param name="dy">[M, N].</param>
    /// <param name="dx">[M, K], of the type of dy; must not overlap it.</param>
    /// <exception cref="HalfbyteArgumentException">Shapes, types or devices do not fit together; the message names them.</exception>
    /// <exception cref="ObjectDisposedException">The layer, the stream or a buffer has been disposed.</exception>
    public abstract void Backward(ComputeStream stream, in ActivationsView dy, in ActivationsView dx);

    /// <summary>Bytes of workspace that <see cref="Forward(ComputeStream, in ActivationsView, in ActivationsView)"/> needs on this stream.</summary>
    /// <param name="stream">A stream of the layer's device.</param>
    /// <param name="dtype">The type of x and y.</param>
    /// <param name="m">M: rows of x.</param>
    public abstract long ForwardWorkspace(ComputeStream stream, DType dtype, long m);

    /// <summary>Bytes of workspace that <see cref="Backward"/> needs on this stream.</summary>
    /// <param name="stream">A stream of the layer's device.</param>
    /// <param name="dtype">The type of dy and dx.</param>
    /// <param name="m">M: rows of dy.</param>
    public abstract long BackwardWorkspace(ComputeStream stream, DType dtype, long m);

    /// <summary><c>y = x * W^T + bias</c> on host memory. On a CPU stream the spans are used where they are.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="stream">A stream of the layer's device.</param>
    /// <param name="x">[M, K], row-major; M follows from the lengths.</param>
    /// <param name="y">[M, N], row-major, written.</param>
    /// <exception cref="HalfbyteArgumentException">The lengths are not M * K and M * N for one M, or the device is another.</exception>
    public void Forward<T>(ComputeStream stream, ReadOnlySpan<T> x, Span<T> y)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(stream);
        DType dtype = DTypes.Of<T>();
        long m = InFeatures > 0 ? x.Length / InFeatures : OutFeatures > 0 ? y.Length / OutFeatures : 0;
        if (x.Length != m * InFeatures || y.Length != m * OutFeatures)
        {
            throw Check.Size(
                $"{_tensor.Label} is {_tensor}; x has {x.Length} elements and y {y.Length}: " +
                $"x must have a whole number of rows of {InFeatures}, and y as many rows of {OutFeatures}.");
        }

        fixed (T* hostX = x)
        fixed (T* hostY = y)
        {
            using var deviceX = HostMemory.Input(stream, hostX, (long)x.Length * sizeof(T));
            using var deviceY = HostMemory.Output(stream, hostY, (long)y.Length * sizeof(T));
            Forward(
                stream,
                new ActivationsView(deviceX.Pointer, dtype, m, InFeatures),
                new ActivationsView(deviceY.Pointer, dtype, m, OutFeatures));
            deviceY.Fetch();
        }
    }

    /// <summary>For people: the weight, and whether there is a bias.</summary>
    public override string ToString() => $"{Name ?? GetType().Name} {_tensor}{(HasBias ? " bias" : "")}";

    /// <summary>Frees weight and bias once no call uses them.</summary>
    public void Dispose()
    {
        LeasedHandles.Dispose();
        if (_ownsParts)
        {
            _tensor.Dispose();
            _bias?.Dispose();
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>The bias has one element per row of the weight and is where the weight is.</summary>
    private static void CheckBias(QuantizedTensor tensor, DeviceBuffer? bias, DType biasDType)
    {
        if (bias is null)
        {
            return;
        }

        if (bias.IsDisposed)
        {
            throw new ObjectDisposedException(nameof(bias), $"the bias of {tensor.Label} has been disposed; pass one that is open.");
        }

        long bytes = tensor.Rows * biasDType.SizeInBytes();
        if (bias.ByteLength != bytes)
        {
            throw Check.Size(
                $"the bias of {tensor.Label} ({tensor}) has {bias.ByteLength} bytes; {tensor.Rows} elements of {biasDType} have {bytes}.");
        }

        if (bias.Device != tensor.Device)
        {
            throw new HalfbyteArgumentException(
                HalfbyteStatus.WrongDevice,
                $"the bias of {tensor.Label} is on {bias.Device}, the weight on {tensor.Device}; copy both to one device.");
        }
    }

    /// <summary>Both matrices have the same type and rows, and the columns the weight asks for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected void CheckForward(in ActivationsView x, in ActivationsView y)
    {
        if (x.Columns != InFeatures || y.Columns != OutFeatures || x.Rows != y.Rows || x.DType != y.DType)
        {
            ThrowMismatch("x", x, "y", y);
        }
    }

    /// <summary>As <see cref="CheckForward"/>, for gradients.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected void CheckBackward(in ActivationsView dy, in ActivationsView dx)
    {
        if (dx.Columns != InFeatures || dy.Columns != OutFeatures || dx.Rows != dy.Rows || dx.DType != dy.DType)
        {
            ThrowMismatch("dx", dx, "dy", dy);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected ProductOutput Output(in ActivationsView y) => new()
    {
        Y = y.Pointer,
        LeadingDimension = y.LeadingDimension,
        Bias = _biasPointer,
        BiasDType = BiasDType,
    };

    private protected static ProductGradient Gradient(in ActivationsView dy) => new() { Dy = dy.Pointer, LeadingDimension = dy.LeadingDimension };

    [DoesNotReturn]
    private void ThrowMismatch(string nameK, in ActivationsView k, string nameN, in ActivationsView n)
    {
        string weight = $"{_tensor.Label} is {_tensor}";
        throw k.DType != n.DType && !k.IsDefault && !n.IsDefault
            ? new HalfbyteArgumentException(
                HalfbyteStatus.InvalidDType,
                $"{weight}; {nameK} is {k.DType.ToTorchName()} while {nameN} is {n.DType.ToTorchName()}; pass both in one type: " +
                $"the product is rounded once, to the type of the activations.")
            : Check.Size(
                $"{weight}; {nameK} is {k} and {nameN} is {n}; {nameK} must have {InFeatures} columns, {nameN} {OutFeatures}, " +
                $"and both the same number of rows.");
    }
}
