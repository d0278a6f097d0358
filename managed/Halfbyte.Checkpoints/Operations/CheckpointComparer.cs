using System.Runtime.InteropServices;

namespace Halfbyte.Checkpoints;

/// <summary>Measures how far the weights of one checkpoint are from those of another, typically a quantized one from its original.</summary>
public static class CheckpointComparer
{
    /// <summary>Compares two checkpoints, weight by weight, in float64, in chunks.</summary>
    /// <param name="original">The reference: a directory, a *.safetensors.index.json, or one *.safetensors file.</param>
    /// <param name="other">What is measured against it.</param>
    /// <param name="options">How to compare.</param>
    /// <param name="progress">Told after every chunk, on the working thread.</param>
    /// <param name="cancellationToken">Stops the work after the current chunk.</param>
    /// <exception cref="CheckpointFormatException">A checkpoint is broken, or a weight has different shapes in the two.</exception>
    public static ComparisonReport Compare(
        string original,
        string other,
        CompareOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(original);
        ArgumentException.ThrowIfNullOrEmpty(other);
        options ??= new CompareOptions();
        if (options.ChunkBytes < 1 << 14)
        {
            throw new ArgumentException($"ChunkBytes is {options.ChunkBytes}; expected at least {1 << 14}.", nameof(options));
        }

        using Side left = new(CheckpointReader.Open(original, options.Limits, cancellationToken), options);
        using Side right = new(CheckpointReader.Open(other, options.Limits, cancellationToken), options);
        List<string> common = [.. left.Names.Where(right.Contains)];
        if (!options.ComparePassedThrough)
        {
            common.RemoveAll(n => left.StoredAlike(right, n));
        }

        TensorPump pump = new(common.Sum(left.ByteLength), common.Count, options.ChunkBytes, progress, cancellationToken);
        List<ComparedTensor> tensors = new(common.Count);
        Sums total = new();
        foreach (string name in common)
        {
            tensors.Add(CompareOne(name, left, right, pump, total));
            pump.Finish(1);
        }

        return new ComparisonReport
        {
            Original = original,
            Other = other,
            Tensors = tensors,
            OnlyInOriginal = [.. left.Names.Where(n => !right.Contains(n))],
            OnlyInOther = [.. right.Names.Where(n => !left.Contains(n))],
            RelativeError = total.RelativeError,
            MaxError = total.MaxError,
            MeasuredCount = tensors.Count(t => !t.Identical),
            IdenticalCount = tensors.Count(t => t.Identical),
        };
    }

    /// <summary><see cref="Compare"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Compare"/>
    public static Task<ComparisonReport> CompareAsync(
        string original,
        string other,
        CompareOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Compare(original, other, options, progress, cancellationToken), cancellationToken);

    private static ComparedTensor CompareOne(string name, Side left, Side right, TensorPump pump, Sums total)
    {
        long[] shape = left.Shape(name);
        if (!shape.AsSpan().SequenceEqual(right.Shape(name)))
        {
            throw new CheckpointFormatException(
                FormatRules.Shape,
                $"has shape {SafetensorsTensor.ShapeText(right.Shape(name))}, the original {SafetensorsTensor.ShapeText(shape)}; these are not two forms of one model.",
                right.Reader.Path,
                name);
        }

        string scheme = right.Storage(name);
        if (left.StoredAlike(right, name) && left.BytesEqual(right, name, pump))
        {
            return new ComparedTensor(name, scheme, shape, 0, 0, 1, null, Identical: true);
        }

        Sums sums = new();
        if (!left.Measurable(name) || !right.Measurable(name))
        {
            return new ComparedTensor(name, scheme, shape, double.NaN, double.NaN, double.NaN, null, Identical: false);
        }

        using ElementStream a = left.Open(name);
        using ElementStream b = right.Open(name);
        while (a.Refill() && b.Refill())
        {
            int count = Math.Min(a.Available, b.Available);
            sums.Add(a.Take(count), b.Take(count));
            pump.Advance(name, left.ByteLength(name) == 0 ? 0 : (long)((double)count / left.Elements(name) * left.ByteLength(name)));
        }

        total.Add(sums);
        return new ComparedTensor(name, scheme, shape, sums.RelativeError, sums.MaxError, sums.Cosine, sums.Sqnr, Identical: false);
    }

    /// <summary>One of the two checkpoints, as full-precision tensors.</summary>
    private sealed class Side : IDisposable
    {
        private readonly Dictionary<string, long[]> _shapes = new(StringComparer.Ordinal);
        private readonly CompareOptions _options;
        private WeightDecoder? _decoder;

        public Side(CheckpointReader reader, CompareOptions options)
        {
            Reader = reader;
            _options = options;
            HashSet<string> parts = new(reader.QuantizedWeights.SelectMany(w => w.Parts.Skip(1)).Select(p => p.Name), StringComparer.Ordinal);
            foreach (CheckpointTensor tensor in reader.Tensors)
            {
                if (!parts.Contains(tensor.Name))
                {
                    _shapes.Add(tensor.Name, ShapeOf(tensor));
                }
            }
        }

        public CheckpointReader Reader { get; }

        public IEnumerable<string> Names => _shapes.Keys;

        public bool Contains(string name) => _shapes.ContainsKey(name);

        public long[] Shape(string name) => _shapes[name];

        public long Elements(string name) => _shapes[name].Aggregate(1L, (a, b) => a * b);

        public long ByteLength(string name) =>
            Reader.TryGetQuantized(name, out QuantizedWeight weight) ? weight.ByteLength : Tensor(name).Info.ByteLength;

        public string Storage(string name) => Reader.TryGetQuantized(name, out QuantizedWeight weight)
            ? QuantState.Name(weight.Scheme) + (weight.NestedAbsmax is null ? "" : "+dq")
            : Tensor(name).Info.DType.ToTorchName();

        public bool Measurable(string name) => Reader.TryGetQuantized(name, out _) || Tensor(name).Info.DType.TryToDType(out _);

        /// <summary>Whether both are plain tensors of one type.</summary>
        public bool StoredAlike(Side other, string name) =>
            !Reader.TryGetQuantized(name, out _)
            && !other.Reader.TryGetQuantized(name, out _)
            && Tensor(name).Info.DType == other.Tensor(name).Info.DType;

        public bool BytesEqual(Side other, string name, TensorPump pump)
        {
            (CheckpointTensor a, CheckpointTensor b) = (Tensor(name), other.Tensor(name));
            byte[] left = new byte[Math.Min(a.Info.ByteLength, _options.ChunkBytes)];
            byte[] right = new byte[left.Length];
            for (long done = 0; done < a.Info.ByteLength; done += left.Length)
            {
                int count = (int)Math.Min(left.Length, a.Info.ByteLength - done);
                a.File.Read(a.Info, done, left.AsSpan(0, count));
                b.File.Read(b.Info, done, right.AsSpan(0, count));
                if (!left.AsSpan(0, count).SequenceEqual(right.AsSpan(0, count)))
                {
                    return false;
                }

                pump.Advance(name, count);
            }

            return true;
        }

        public ElementStream Open(string name)
        {
            if (!Reader.TryGetQuantized(name, out QuantizedWeight weight))
            {
                return new ElementStream(PlainChunks(Tensor(name)));
            }

            _decoder ??= new WeightDecoder(Reader, _options.Device);
            return new ElementStream(DecodedChunks(_decoder, weight));
        }

        public void Dispose()
        {
            _decoder?.Dispose();
            Reader.Dispose();
        }

        private CheckpointTensor Tensor(string name)
        {
            _ = Reader.TryGet(name, out CheckpointTensor tensor);
            return tensor;
        }

        private long[] ShapeOf(CheckpointTensor tensor) =>
            Reader.TryGetQuantized(tensor.Name, out QuantizedWeight weight) && weight.Scheme != WeightScheme.Int8
                ? [.. Reader.ReadQuantState(weight).Shape]
                : tensor.Info.ShapeArray;

        private IEnumerable<ReadOnlyMemory<float>> PlainChunks(CheckpointTensor tensor)
        {
            _ = tensor.Info.DType.TryToDType(out DType dtype);
            int size = dtype.SizeInBytes();
            int chunk = (int)Math.Min(tensor.Info.ElementCount, _options.ChunkBytes / size);
            byte[] bytes = new byte[chunk * size];
            float[] values = new float[chunk];
            for (long done = 0; done < tensor.Info.ElementCount; done += chunk)
            {
                int count = (int)Math.Min(chunk, tensor.Info.ElementCount - done);
                tensor.File.Read(tensor.Info, done * size, bytes.AsSpan(0, count * size));
                Numbers.ToSingle(bytes.AsSpan(0, count * size), dtype, values);
                yield return values.AsMemory(0, count);
            }
        }

        private IEnumerable<ReadOnlyMemory<float>> DecodedChunks(WeightDecoder decoder, QuantizedWeight weight)
        {
            float[] values = [];
            foreach ((_, int count) in decoder.Decode(weight, DType.Float32, _options.ChunkBytes))
            {
                values = values.Length >= count ? values : new float[count];
                decoder.Values(count, DType.Float32).CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
                yield return values.AsMemory(0, count);
            }
        }
    }

    /// <summary>Elements in order, in pieces of whatever size the consumer wants.</summary>
    private sealed class ElementStream : IDisposable
    {
        private readonly IEnumerator<ReadOnlyMemory<float>> _chunks;
        private ReadOnlyMemory<float> _rest;

        public ElementStream(IEnumerable<ReadOnlyMemory<float>> chunks) => _chunks = chunks.GetEnumerator();

        public int Available => _rest.Length;

        /// <summary>The next elements, at most those available; valid until the next refill.</summary>
        public ReadOnlyMemory<float> Take(int count)
        {
            ReadOnlyMemory<float> taken = _rest[..count];
            _rest = _rest[count..];
            return taken;
        }

        public void Dispose() => _chunks.Dispose();

        /// <summary>Fetches the next chunk if everything is taken; false at the end.</summary>
        public bool Refill()
        {
            while (_rest.IsEmpty && _chunks.MoveNext())
            {
                _rest = _chunks.Current;
            }

            return !_rest.IsEmpty;
        }
    }

    /// <summary>Running sums over pairs of elements, in float64.</summary>
    private sealed class Sums
    {
        private double _signal;
        private double _other;
        private double _product;
        private double _noise;

        public double MaxError { get; private set; }

        public double RelativeError => _noise == 0 ? 0 : _signal == 0 ? double.PositiveInfinity : Math.Sqrt(_noise / _signal);

        public double Cosine => _signal == 0 && _other == 0 ? 1
            : _signal == 0 || _other == 0 ? 0
            : Math.Clamp(_product / Math.Sqrt(_signal) / Math.Sqrt(_other), -1, 1);

        public double? Sqnr => _noise == 0 ? null : _signal == 0 ? double.NegativeInfinity : 10 * Math.Log10(_signal / _noise);

        public void Add(ReadOnlyMemory<float> originals, ReadOnlyMemory<float> others)
        {
            ReadOnlySpan<float> a = originals.Span;
            ReadOnlySpan<float> b = others.Span;
            (double signal, double other, double product, double noise, double max) = (0, 0, 0, 0, MaxError);
            for (int i = 0; i < a.Length; i++)
            {
                double x = a[i];
                double y = b[i];
                double difference = x - y;
                signal += x * x;
                other += y * y;
                product += x * y;
                noise += difference * difference;
                max = Math.Max(max, Math.Abs(difference));
            }

            _signal += signal;
            _other += other;
            _product += product;
            _noise += noise;
            MaxError = max;
        }

        public void Add(Sums sums)
        {
            _signal += sums._signal;
            _other += sums._other;
            _product += sums._product;
            _noise += sums._noise;
            MaxError = Math.Max(MaxError, sums.MaxError);
        }
    }
}
