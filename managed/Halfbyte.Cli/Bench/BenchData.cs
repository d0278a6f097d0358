using Halfbyte.Cli.Bench.Peers;

namespace Halfbyte.Cli.Bench;

/// <summary>The weights, activations and buffers of a run, made when a case first asks for them.</summary>
internal sealed class BenchData(BenchContext context) : IDisposable
{
    private const int WeightSeed = 1;
    private const int ActivationSeed = 2;

    private readonly List<IDisposable> _owned = [];
    private readonly Dictionary<bool, Linear4Bit[]> _fourBit = [];
    private Linear8Bit[]? _int8;
    private NativeBuffer? _source;
    private NativeBuffer? _wide;
    private NativeBuffer? _narrow;

    /// <summary>[N, K] in bfloat16.</summary>
    internal NativeBuffer Source => _source ??= MakeSource();

    /// <summary>Room for [N, K] in float32.</summary>
    internal NativeBuffer Wide => _wide ??= Own(new NativeBuffer(4L * context.Elements));

    /// <summary>Room for [N, K] in bfloat16.</summary>
    internal NativeBuffer Narrow => _narrow ??= Own(new NativeBuffer(2L * context.Elements));

    /// <summary>Layers with equal weights in different memory, enough of them that the next one is never in a cache.</summary>
    internal Linear4Bit[] FourBit(bool doubleQuantized)
    {
        if (!_fourBit.TryGetValue(doubleQuantized, out Linear4Bit[]? layers))
        {
            var options = new FourBitOptions { DoubleQuantize = doubleQuantized };
            layers = MakeCopies(
                context.Elements / 2,
                () => new Linear4Bit(Halfbyte.FourBit.Quantize<BFloat16>(
                    context.Stream, Source.Span<BFloat16>(), context.N, context.K, options)));
            _fourBit.Add(doubleQuantized, layers);
        }

        return layers;
    }

    /// <inheritdoc cref="FourBit"/>
    internal Linear8Bit[] Int8() => _int8 ??= MakeCopies(
        context.Elements,
        () => new Linear8Bit(Halfbyte.Int8.Quantize<BFloat16>(context.Stream, Source.Span<BFloat16>(), context.N, context.K)));

    /// <summary>[rows, columns] of activations; the caller's to dispose.</summary>
    internal static NativeBuffer Activations(DType dtype, int rows, int columns)
    {
        var buffer = new NativeBuffer((long)rows * columns * dtype.SizeInBytes());
        var values = new float[rows * columns];
        BenchContext.FillActivations(values, ActivationSeed);
        if (dtype == DType.Float32)
        {
            values.CopyTo(buffer.Span<float>());
            return buffer;
        }

        Span<BFloat16> rounded = buffer.Span<BFloat16>();
        for (int i = 0; i < values.Length; i++)
        {
            rounded[i] = (BFloat16)values[i];
        }

        return buffer;
    }

    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }

        _owned.Clear();
    }

    private NativeBuffer MakeSource()
    {
        NativeBuffer source = Own(new NativeBuffer(2L * context.Elements));
        BenchContext.FillWeights(source.Span<BFloat16>(), WeightSeed);
        return source;
    }

    private T[] MakeCopies<T>(long bytes, Func<T> make)
        where T : IDisposable
    {
        var copies = new T[context.Copies(bytes)];
        for (int i = 0; i < copies.Length; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            copies[i] = Own(make());
        }

        return copies;
    }

    private T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }
}
