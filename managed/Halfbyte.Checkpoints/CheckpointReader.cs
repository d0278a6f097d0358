namespace Halfbyte.Checkpoints;

/// <summary>
/// A checkpoint open for reading: one safetensors file or the shards of an index, with config.json if there is one. Headers are read
/// and checked when it is opened, tensors when they are asked for. Reads may run on several threads at once.
/// </summary>
public sealed partial class CheckpointReader : IDisposable
{
    private readonly Dictionary<string, CheckpointTensor> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, QuantizedWeight> _quantized = new(StringComparer.Ordinal);
    private readonly List<SafetensorsFile> _files = [];
    private readonly List<CheckpointTensor> _tensors = [];
    private readonly List<QuantizedWeight> _weights = [];

    private CheckpointReader(string path, CheckpointLocation location, CheckpointLimits limits)
    {
        Path = path;
        Location = location;
        Limits = limits;
    }

    /// <summary>The path it was opened with.</summary>
    public string Path { get; }

    /// <summary>config.json, or null.</summary>
    public ModelConfig? Config { get; private set; }

    /// <summary>The safetensors files, by name.</summary>
    public IReadOnlyList<SafetensorsFile> Files => _files;

    /// <summary>All tensors: files by name, within a file in the order of their bytes.</summary>
    public IReadOnlyList<CheckpointTensor> Tensors => _tensors;

    /// <summary>The weights quantized by bitsandbytes.</summary>
    public IReadOnlyList<QuantizedWeight> QuantizedWeights => _weights;

    internal CheckpointLocation Location { get; }

    internal CheckpointLimits Limits { get; }

    internal ShardIndex? Index { get; private set; }

    /// <summary>Opens a checkpoint.</summary>
    /// <param name="path">A directory, a *.safetensors.index.json, or one *.safetensors file.</param>
    /// <param name="limits">What it may ask of the reader; null for the defaults.</param>
    /// <param name="cancellationToken">Checked between files.</param>
    /// <exception cref="CheckpointFormatException">There is no checkpoint, or it breaks a rule.</exception>
    public static CheckpointReader Open(string path, CheckpointLimits? limits = null, CancellationToken cancellationToken = default)
    {
        CheckpointReader reader = new(path, CheckpointLocation.Find(path), limits ?? CheckpointLimits.Default);
        try
        {
            reader.OpenFiles(cancellationToken);
            return reader;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>Finds a tensor by name.</summary>
    public bool TryGet(string name, out CheckpointTensor tensor)
    {
        bool found = _byName.TryGetValue(name, out CheckpointTensor? value);
        tensor = value!;
        return found;
    }

    /// <summary>Finds a quantized weight by name.</summary>
    public bool TryGetQuantized(string name, out QuantizedWeight weight)
    {
        bool found = _quantized.TryGetValue(name, out QuantizedWeight? value);
        weight = value!;
        return found;
    }

    /// <summary>The state of a 4-bit weight, checked against the lengths and types of its parts.</summary>
    /// <exception cref="CheckpointFormatException">State and parts do not fit.</exception>
    public QuantState ReadQuantState(QuantizedWeight weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return weight.Scheme == WeightScheme.Int8
            ? throw new ArgumentException("An int8 weight has no quant_state.", nameof(weight))
            : QuantizedWeightReader.ReadState(weight, Limits);
    }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        foreach (SafetensorsFile file in _files)
        {
            file.Dispose();
        }
    }

    private void OpenFiles(CancellationToken cancellationToken)
    {
        if (Location.ConfigPath is { } config)
        {
            RequireInside(config);
            Config = ModelConfig.Load(config, Limits);
        }

        if (Location.SingleFile is { } single)
        {
            if (Location.OwnsDirectory)
            {
                RequireInside(single);
            }

            Add(SafetensorsFile.Open(single, Limits, cancellationToken));
        }
        else
        {
            Index = ShardIndex.Load(Location.IndexPath!, Limits);
            foreach (string shard in Index.Shards)
            {
                cancellationToken.ThrowIfCancellationRequested();
                OpenShard(shard, cancellationToken);
            }

            CheckIndex(Index);
        }

        foreach (QuantizedWeight weight in QuantizedWeightFinder.Find(_tensors, _byName))
        {
            _weights.Add(weight);
            _quantized.Add(weight.Name, weight);
        }
    }

    private void OpenShard(string shard, CancellationToken cancellationToken)
    {
        string path = System.IO.Path.Combine(Location.Directory, shard);
        if (!File.Exists(path))
        {
            throw new CheckpointFormatException(
                FormatRules.ShardIndex, $"names the shard {SafeText.Quote(shard)}, which is not there; download it.", Location.IndexPath);
        }

        RequireInside(path);
        Add(SafetensorsFile.Open(path, Limits, cancellationToken));
    }

    private void RequireInside(string path)
    {
        if (!SafePath.StaysInside(Location.Directory, System.IO.Path.GetFileName(path)))
        {
            throw new CheckpointFormatException(
                FormatRules.ShardPath, "is a link to a file outside the checkpoint's directory; copy the file into it.", path);
        }
    }

    private void Add(SafetensorsFile file)
    {
        _files.Add(file);
        if (_tensors.Count + (long)file.Tensors.Count > Limits.MaxTensors)
        {
            throw new CheckpointFormatException(
                FormatRules.TensorCount, $"the checkpoint has more than {Limits.MaxTensors} tensors, the limit of this reader.", file.Path);
        }

        foreach (SafetensorsTensor info in file.Tensors)
        {
            CheckpointTensor tensor = new(file, info);
            if (!_byName.TryAdd(info.Name, tensor))
            {
                string other = System.IO.Path.GetFileName(_byName[info.Name].Path);
                throw new CheckpointFormatException(
                    FormatRules.ShardIndex,
                    $"is also in {SafeText.Quote(other)}; expected it in one shard, or two readers could see two different tensors.",
                    file.Path,
                    info.Name);
            }

            _tensors.Add(tensor);
        }
    }

    private void CheckIndex(ShardIndex index)
    {
        foreach ((string name, string shard) in index.WeightMap)
        {
            if (!_byName.TryGetValue(name, out CheckpointTensor? tensor))
            {
                throw new CheckpointFormatException(
                    FormatRules.ShardIndex, $"is listed in {SafeText.Quote(shard)}, which does not hold it; download the shards again.", index.Path, name);
            }

            string actual = System.IO.Path.GetFileName(tensor.Path);
            if (actual != shard)
            {
                throw new CheckpointFormatException(
                    FormatRules.ShardIndex, $"is listed in {SafeText.Quote(shard)} but lies in {SafeText.Quote(actual)}.", index.Path, name);
            }
        }

        long total = _tensors.Sum(t => t.Info.ByteLength);
        if (index.TotalSize is { } claimed && claimed != total)
        {
            throw new CheckpointFormatException(
                FormatRules.ShardIndex,
                $"metadata.total_size says {claimed} bytes, the shards hold {total}; a shard is missing or from another version: download again, or correct the number.",
                index.Path);
        }
    }
}
