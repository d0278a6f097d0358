namespace Halfbyte;

/// <summary>The handles of one call of several layers, as <see cref="Lease"/> holds those of one.</summary>
internal readonly ref struct LayersLease
{
    /// <summary>Up to so many layers, a call's descriptors are on the stack.</summary>
    public const int Few = 8;

    private readonly Lease _common;
    private readonly ReadOnlySpan<QuantizedLinear> _layers;
    private readonly ReadOnlySpan<ActivationsView> _views;

    /// <exception cref="HalfbyteArgumentException">There is not one view per layer.</exception>
    /// <exception cref="ObjectDisposedException">A handle has been disposed; none is held.</exception>
    public LayersLease(
        ComputeStream stream, ReadOnlySpan<QuantizedLinear> layers, in ActivationsView shared, ReadOnlySpan<ActivationsView> views)
    {
        if (layers.Length != views.Length)
        {
            throw Check.Size($"there are {views.Length} matrices for {layers.Length} layers; pass one per layer, in the same order.");
        }

        _common = new Lease(stream.SafeHandle, shared.Owner?.SafeHandle);
        int held = 0;
        try
        {
            for (; held < layers.Length; held++)
            {
                bool added = false;
                layers[held].Held.DangerousAddRef(ref added);
                try
                {
                    views[held].Owner?.SafeHandle.DangerousAddRef(ref added);
                }
                catch
                {
                    layers[held].Held.DangerousRelease();
                    throw;
                }
            }
        }
        catch
        {
            Release(layers[..held], views);
            _common.Dispose();
            throw;
        }

        _layers = layers;
        _views = views;
    }

    public void Dispose()
    {
        Release(_layers, _views);
        _common.Dispose();
    }

    private static void Release(ReadOnlySpan<QuantizedLinear> layers, ReadOnlySpan<ActivationsView> views)
    {
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i].Held.DangerousRelease();
            views[i].Owner?.SafeHandle.DangerousRelease();
        }
    }
}
