namespace Halfbyte.Checkpoints;

/// <summary>How <see cref="CheckpointWriter"/> writes.</summary>
public sealed record WriteOptions
{
    /// <summary>A shard ends before it would exceed this many bytes. One weight with its statistics is never split.</summary>
    public long MaxShardBytes { get; init; } = 5_000_000_000;

    /// <summary>Whether a checkpoint already in the output directory is replaced.</summary>
    public bool Force { get; init; }

    /// <summary>The model's config.json, to which quantization_config is added; null to write none.</summary>
    public ModelConfig? Config { get; init; }

    /// <summary>What <c>llm_int8_skip_modules</c> says; null for transformers' default, the output embedding.</summary>
    public IReadOnlyList<string>? SkipModules { get; init; }

    /// <summary>What <c>bnb_4bit_compute_dtype</c> says; null for the type the weights had.</summary>
    public DType? ComputeDType { get; init; }

    internal IStorage Storage { get; init; } = FileStorage.Instance;
}

/// <summary>
/// Saves tensors a program has in memory as a checkpoint that Python's transformers, and <see cref="CheckpointReader"/>, load:
/// quantized weights with bitsandbytes' names, others as they are, in shards if they are many.
/// </summary>
/// <example>
/// <code>
/// CheckpointWriter writer = new();
/// writer.Add("fc.weight", weight);
/// writer.Add("fc.bias", SafetensorsDType.F32, [4096], biasBytes);
/// writer.Write("model-nf4", stream);
/// </code>
/// </example>
public sealed class CheckpointWriter
{
    private readonly List<Item> _items = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    /// <summary>Adds a quantized weight. It must live until <see cref="Write"/> has returned.</summary>
    /// <param name="name">The weight's name; an int8 weight's must end in <c>.weight</c>, because its statistics are named after its module.</param>
    /// <param name="tensor">The weight.</param>
    /// <exception cref="ArgumentException">The name is taken, or the format has no place in such a file.</exception>
    public void Add(string name, QuantizedTensor tensor)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor is FourBitTensor { QuantType: QuantType.Custom } or FourBitTensor { Codebook: not null })
        {
            throw new ArgumentException(
                $"{SafeText.Quote(name)} has a code table of its own; bitsandbytes' files know nf4 and fp4 only. Quantize it to one of these.", nameof(tensor));
        }

        if (tensor is Int8Tensor && BitsAndBytesKeys.ModuleOf(name) is null)
        {
            throw new ArgumentException($"{SafeText.Quote(name)} is int8; its name must end in '.weight'.", nameof(name));
        }

        Reserve(QuantizedTensorParts.Names(name, tensor));
        _items.Add(new Item(name, tensor, null, default));
    }

    /// <summary>Adds a tensor that is stored as it is. The bytes must stay until <see cref="Write"/> has returned.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="dtype">Its element type.</param>
    /// <param name="shape">Its dimensions.</param>
    /// <param name="data">Its elements, little endian, row-major.</param>
    /// <exception cref="ArgumentException">The name is taken, or the bytes do not fit the shape.</exception>
    public void Add(string name, SafetensorsDType dtype, IReadOnlyList<long> shape, ReadOnlyMemory<byte> data)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(shape);
        SafetensorsEntry entry = new(name, dtype, [.. shape]);
        if (entry.ByteLength != data.Length)
        {
            throw new ArgumentException(
                $"{SafeText.Quote(name)} has {data.Length} bytes; {dtype} {SafetensorsTensor.ShapeText(shape)} needs {entry.ByteLength}.", nameof(data));
        }

        Reserve([name]);
        _items.Add(new Item(name, null, entry, data));
    }

    /// <summary>Writes everything that was added. The directory is complete afterwards, or as it was.</summary>
    /// <param name="directory">The output directory, created if need be.</param>
    /// <param name="stream">A stream of the quantized weights' device; it is waited for.</param>
    /// <param name="options">How to write; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between tensors.</param>
    /// <returns>The names of the safetensors files.</returns>
    /// <exception cref="CheckpointOutputException">The output cannot be written.</exception>
    /// <exception cref="ArgumentException">The weights are of several formats, which one configuration cannot describe.</exception>
    public IReadOnlyList<string> Write(
        string directory, ComputeStream stream, WriteOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentNullException.ThrowIfNull(stream);
        options ??= new WriteOptions();
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.MaxShardBytes);
        byte[]? config = options.Config is null ? null : Configuration(options.Config, options);
        CheckpointPlan plan = CheckpointPlan.Create([.. _items.Select(i => Unit(i, stream))], options.MaxShardBytes);
        new PlanWriter(directory, options.Force, options.Storage, cancellationToken).Write(plan, config);
        return [.. plan.Shards.Select(s => s.File)];
    }

    private static PlannedUnit Unit(Item item, ComputeStream stream)
    {
        if (item.Tensor is null)
        {
            return new PlannedUnit { Entries = [item.Entry!], Write = writer => writer.Write(item.Name, 0, item.Data.Span) };
        }

        (SafetensorsEntry[] entries, Action<SafetensorsWriter> write) = QuantizedTensorParts.Plan(item.Name, item.Tensor, stream);
        return new PlannedUnit { Entries = entries, Write = write };
    }

    private void Reserve(IEnumerable<string> names)
    {
        string[] all = [.. names];
        if (Array.Find(all, _names.Contains) is { } taken)
        {
            throw new ArgumentException($"the name {SafeText.Quote(taken)} is used twice.", nameof(names));
        }

        _names.UnionWith(all);
    }

    private byte[] Configuration(ModelConfig config, WriteOptions options)
    {
        List<QuantizedTensor> weights = [.. _items.Select(i => i.Tensor).OfType<QuantizedTensor>()];
        if (weights.Count == 0)
        {
            return config.WithoutQuantization();
        }

        List<WeightScheme> schemes = [.. weights.Select(QuantizedTensorParts.Scheme).Distinct()];
        if (schemes.Count > 1)
        {
            throw new ArgumentException(
                $"the weights are {string.Join(" and ", schemes.Select(QuantState.Name))}; one quantization_config can describe one format. Write them to separate directories.",
                nameof(options));
        }

        bool fourBit = schemes[0] != WeightScheme.Int8;
        QuantizationConfig defaults = new();
        return config.WithQuantization(defaults with
        {
            LoadIn4Bit = fourBit,
            LoadIn8Bit = !fourBit,
            SkipModules = options.SkipModules,
            QuantType = fourBit ? QuantState.Name(schemes[0]) : defaults.QuantType,
            UseDoubleQuant = weights.Any(w => w is FourBitTensor { IsDoubleQuantized: true }),
            ComputeDType = (options.ComputeDType ?? (fourBit ? weights[0].OriginalDType : null))?.ToTorchName() ?? defaults.ComputeDType,
        });
    }

    private sealed record Item(string Name, QuantizedTensor? Tensor, SafetensorsEntry? Entry, ReadOnlyMemory<byte> Data);
}
