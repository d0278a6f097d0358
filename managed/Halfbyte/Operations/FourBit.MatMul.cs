namespace Halfbyte;

public static partial class FourBit
{
    /// <summary>
    /// <c>y[M, N] = x[M, K] * W[N, K]^T + bias[N]</c>: float32 accumulation, one rounding, as accurate as <see cref="Linear4Bit"/> says.
    /// In a loop use that, which prepares the call once.
    /// </summary>
    /// <param name="stream">A stream of the tensor's device.</param>
    /// <param name="weight">W.</param>
    /// <param name="x">[M, K].</param>
    /// <param name="y">[M, N], of the type of x; must not overlap it.</param>
    /// <param name="bias">[N], or null.</param>
    /// <param name="biasDType">The type of the bias.</param>
    /// <exception cref="HalfbyteArgumentException">Shapes, types or devices do not fit together; the message names them.</exception>
    public static void MatMul(
        ComputeStream stream,
        FourBitTensor weight,
        in ActivationsView x,
        in ActivationsView y,
        DeviceBuffer? bias = null,
        DType biasDType = DType.Float32)
    {
        using var layer = new Linear4Bit(weight, bias, biasDType, ownsParts: false);
        layer.Forward(stream, x, y);
    }

    /// <summary><c>dx[M, K] = dy[M, N] * W[N, K]</c>: the gradient of <see cref="MatMul"/>'s x.</summary>
    /// <param name="stream">A stream of the tensor's device.</param>
    /// <param name="weight">W.</param>
    /// <param name="dy">[M, N].</param>
    /// <param name="dx">[M, K], of the type of dy; must not overlap it.</param>
    /// <exception cref="HalfbyteArgumentException">Shapes, types or devices do not fit together; the message names them.</exception>
    public static void MatMulTransposed(ComputeStream stream, FourBitTensor weight, in ActivationsView dy, in ActivationsView dx)
    {
        using var layer = new Linear4Bit(weight, null, DType.Float32, ownsParts: false);
        layer.Backward(stream, dy, dx);
    }
}
