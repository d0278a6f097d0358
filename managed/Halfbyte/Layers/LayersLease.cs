namespace Halfbyte;

/// <summary>The handles of one call of several layers, as <see cref="Lease"/> holds those of one.</summary>
internal readonly ref struct LayersLease
{
    /// <summary>Up to so many layers, a call's descriptors are on the stack.</summary>
    public const int Few = 8;

    private readonly ComputeStream _stream;
    private readonly Lease _shared;
    private readonly ReadOnlySpan<QuantizedLinear> _layers;
    private readonly ReadOnlySpan<ActivationsView> _views;

    /// <exception cref="HalfbyteArgumentException">There is not one view per layer, or a buffer is on another device.</exception>
    /// <exception cref="ArgumentException">A layer is null.</exception>
    /// <exception cref="ObjectDisposedException">A handle has been disposed; none is held.</exception>
    public LayersLease(
        ComputeStream stream, ReadOnlySpan<QuantizedLinear> layers, in ActivationsView shared, ReadOnlySpan<ActivationsView> views)
    {
        if (layers.Length != views.Length)
        {
            throw Check.Size($"there are {views.Length} matrices for {layers.Length} layers; pass one per layer, in the same order.");
        }

        for (int i = 0; i < layers.Length; i++)
        {
            if (layers[i] is null)
            {
                throw new ArgumentException($"layers[{i}] is null.", nameof(layers));
            }
        }

        _stream = stream;
        _shared = new Lease(shared.ToHold(stream));
        int held = 0;
        try
        {
            for (; held < layers.Length; held++)
            {
                Hold(stream, layers[held], views[held]);
            }
        }
        catch
        {
            Release(stream, layers[..held], views);
            _shared.Dispose();
            throw;
        }

        _layers = layers;
        _views = views;
    }

    public void Dispose()
    {
        Release(_stream, _layers, _views);
        _shared.Dispose();
        GC.KeepAlive(_stream);
    }

    /// <summary>Both or none.</summary>
    private static void Hold(ComputeStream stream, QuantizedLinear layer, in ActivationsView view)
    {
        bool layerHeld = false;
        bool viewHeld = false;
        layer.Held.DangerousAddRef(ref layerHeld);
        try
        {
            view.ToHold(stream)?.DangerousAddRef(ref viewHeld);
        }
        catch
        {
            layer.LeasedHandles.DangerousRelease();
            throw;
        }
    }

    private static void Release(ComputeStream stream, ReadOnlySpan<QuantizedLinear> layers, ReadOnlySpan<ActivationsView> views)
    {
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i].LeasedHandles.DangerousRelease();
            if (views[i].Owner is { } buffer && !buffer.LeasedHandle.IsFreedBy(stream.LeasedHandle))
            {
                buffer.LeasedHandle.DangerousRelease();
            }
        }
    }
}
