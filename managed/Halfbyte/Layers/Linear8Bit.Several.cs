namespace Halfbyte;

public sealed unsafe partial class Linear8Bit
{
    /// <summary>
    /// Several layers of the same input in one call: q, k and v, or gate and up, cost one launch and one read of x.
    /// </summary>
    /// <param name="stream">A stream of the layers' device.</param>
    /// <param name="layers">The layers, all of the same K and <see cref="Threshold"/>.</param>
    /// <param name="x">[M, K].</param>
    /// <param name="outputs">[M, N_i] for each layer, of the type of x; must not overlap x or each other.</param>
    /// <exception cref="HalfbyteArgumentException">Shapes, types or devices do not fit together; the message names them.</exception>
    public static void Forward(
        ComputeStream stream, ReadOnlySpan<Linear8Bit> layers, in ActivationsView x, ReadOnlySpan<ActivationsView> outputs)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var lease = new LayersLease(stream, layers, x, outputs);
        float threshold = layers.IsEmpty ? DefaultThreshold : layers[0]._threshold;
        Span<Int8Weight> weights = layers.Length <= LayersLease.Few ? stackalloc Int8Weight[layers.Length] : new Int8Weight[layers.Length];
        Span<ProductOutput> targets = layers.Length <= LayersLease.Few ? stackalloc ProductOutput[layers.Length] : new ProductOutput[layers.Length];
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i].CheckForward(x, outputs[i]);
            CheckThreshold(layers[i], threshold);
            weights[i] = layers[i]._descriptor;
            targets[i] = layers[i].Output(outputs[i]);
        }

        fixed (Int8Weight* w = weights)
        fixed (ProductOutput* o = targets)
        {
            MatMul(stream, layers.Length, w, x, threshold, o);
        }
    }

    /// <summary>The gradient of the common input of several layers: <c>dx = sum over i of dy_i * W_i</c>.</summary>
    /// <param name="stream">A stream of the layers' device.</param>
    /// <param name="layers">The layers, all of the same K.</param>
    /// <param name="gradients">dy_i [M, N_i] for each layer.</param>
    /// <param name="dx">[M, K], of the type of the gradients; must not overlap them.</param>
    /// <exception cref="HalfbyteArgumentException">Shapes, types or devices do not fit together; the message names them.</exception>
    public static void Backward(
        ComputeStream stream, ReadOnlySpan<Linear8Bit> layers, ReadOnlySpan<ActivationsView> gradients, in ActivationsView dx)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var lease = new LayersLease(stream, layers, dx, gradients);
        Span<Int8Weight> weights = layers.Length <= LayersLease.Few ? stackalloc Int8Weight[layers.Length] : new Int8Weight[layers.Length];
        Span<ProductGradient> sources = layers.Length <= LayersLease.Few ? stackalloc ProductGradient[layers.Length] : new ProductGradient[layers.Length];
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i].CheckBackward(gradients[i], dx);
            weights[i] = layers[i]._descriptor;
            sources[i] = Gradient(gradients[i]);
        }

        fixed (Int8Weight* w = weights)
        fixed (ProductGradient* g = sources)
        {
            MatMulTransposed(stream, layers.Length, w, g, dx);
        }
    }

    private static void CheckThreshold(Linear8Bit layer, float threshold)
    {
        if (layer._threshold != threshold)
        {
            throw new HalfbyteArgumentException(
                HalfbyteStatus.InvalidValue,
                $"{layer.Weight.Label} has threshold {layer._threshold}, the first layer {threshold}; x is split once for all layers of a call: " +
                "give them one Threshold, or call them one by one.");
        }
    }
}
