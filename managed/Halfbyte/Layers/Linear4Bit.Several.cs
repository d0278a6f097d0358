namespace Halfbyte;

public sealed unsafe partial class Linear4Bit
{
    /// <summary>
    /// Several layers of the same input in one call: q, k and v, or gate and up, cost one launch and one read of x.
    /// </summary>
    /// <param name="stream">A stream of the layers' device.</param>
    /// <param name="layers">The layers, all of the same K; their formats may differ.</param>
    /// <param name="x">[M, K].</param>
    /// <param name="outputs">[M, N_i] for each layer, of the type of x; must not overlap x or each other.</param>
    /// <exception cref="HalfbyteArgumentException">Shapes, types or devices do not fit together; the message names them.</exception>
    public static void Forward(
        ComputeStream stream, ReadOnlySpan<Linear4Bit> layers, in ActivationsView x, ReadOnlySpan<ActivationsView> outputs)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var lease = new LayersLease(stream, layers, x, outputs);
        Span<FourBitWeight> weights = layers.Length <= LayersLease.Few ? stackalloc FourBitWeight[layers.Length] : new FourBitWeight[layers.Length];
        Span<ProductOutput> targets = layers.Length <= LayersLease.Few ? stackalloc ProductOutput[layers.Length] : new ProductOutput[layers.Length];
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i].CheckForward(x, outputs[i]);
            weights[i] = layers[i]._descriptor;
            targets[i] = layers[i].Output(outputs[i]);
        }

        fixed (FourBitWeight* w = weights)
        fixed (ProductOutput* o = targets)
        {
            MatMul(stream, layers.Length, w, x, o);
        }
    }

    /// <summary>The gradient of the common input of several layers: <c>dx = sum over i of dy_i * W_i</c>.</summary>
    /// <param name="stream">A stream of the layers' device.</param>
    /// <param name="layers">The layers, all of the same K; their formats may differ.</param>
    /// <param name="gradients">dy_i [M, N_i] for each layer.</param>
    /// <param name="dx">[M, K], of the type of the gradients; must not overlap them.</param>
    /// <exception cref="HalfbyteArgumentException">Shapes, types or devices do not fit together; the message names them.</exception>
    public static void Backward(
        ComputeStream stream, ReadOnlySpan<Linear4Bit> layers, ReadOnlySpan<ActivationsView> gradients, in ActivationsView dx)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var lease = new LayersLease(stream, layers, dx, gradients);
        Span<FourBitWeight> weights = layers.Length <= LayersLease.Few ? stackalloc FourBitWeight[layers.Length] : new FourBitWeight[layers.Length];
        Span<ProductGradient> sources = layers.Length <= LayersLease.Few ? stackalloc ProductGradient[layers.Length] : new ProductGradient[layers.Length];
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i].CheckBackward(gradients[i], dx);
            weights[i] = layers[i]._descriptor;
            sources[i] = Gradient(gradients[i]);
        }

        fixed (FourBitWeight* w = weights)
        fixed (ProductGradient* g = sources)
        {
            MatMulTransposed(stream, layers.Length, w, g, dx);
        }
    }
}
