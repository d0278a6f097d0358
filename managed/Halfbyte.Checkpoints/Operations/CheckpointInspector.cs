namespace Halfbyte.Checkpoints;

/// <summary>Says what a checkpoint holds, from headers and quant_state blobs alone.</summary>
public static class CheckpointInspector
{
    /// <summary>Inspects the checkpoint at <paramref name="path"/>.</summary>
    /// <param name="path">A directory with a checkpoint, a *.safetensors.index.json, or one *.safetensors file.</param>
    /// <param name="options">How to read.</param>
    /// <param name="cancellationToken">Stops between tensors.</param>
    /// <exception cref="CheckpointFormatException">The checkpoint is broken.</exception>
    public static InspectionReport Inspect(string path, InspectOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new InspectOptions();
        using CheckpointReader reader = CheckpointReader.Open(path, options.Limits, cancellationToken);
        TensorClassifier classifier = new(reader.Tensors.Select(TensorPump.Entry), reader.Config);
        HashSet<string> parts = new(
            reader.QuantizedWeights.SelectMany(w => w.Parts.Skip(1)).Select(p => p.Name), StringComparer.Ordinal);
        List<InspectedTensor> tensors = [];
        foreach (CheckpointTensor tensor in reader.Tensors)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!parts.Contains(tensor.Name))
            {
                tensors.Add(reader.TryGetQuantized(tensor.Name, out QuantizedWeight weight)
                    ? Quantized(reader, weight, classifier)
                    : Plain(tensor, classifier));
            }
        }

        return new InspectionReport
        {
            Path = path,
            Files = [.. reader.Files.Select(f => Path.GetFileName(f.Path))],
            ModelType = reader.Config?.ModelType,
            Quantization = reader.Config?.Quantization,
            Tensors = tensors,
            Totals = [.. tensors
                .GroupBy(Storage, StringComparer.Ordinal)
                .Select(g => new StorageTotal(g.Key, g.Count(), g.Sum(t => t.Elements), g.Sum(t => t.Bytes)))
                .OrderByDescending(t => t.Bytes)
                .ThenBy(t => t.Storage, StringComparer.Ordinal)],
            Parameters = tensors.Sum(t => t.Elements),
            Bytes = tensors.Sum(t => t.Bytes),
        };
    }

    private static string Storage(InspectedTensor tensor) => tensor.Scheme == WeightScheme.None
        ? tensor.DType
        : QuantState.Name(tensor.Scheme) + (tensor.DoubleQuantized ? "+dq" : "");

    private static InspectedTensor Plain(CheckpointTensor tensor, TensorClassifier classifier) => new(
        tensor.Name,
        Path.GetFileName(tensor.Path),
        WeightScheme.None,
        tensor.Info.DType.ToTorchName(),
        null,
        tensor.Info.Shape,
        tensor.Info.ElementCount,
        tensor.Info.ByteLength,
        null,
        false,
        KindName(classifier.Classify(tensor.Name, tensor.Info.ShapeArray)));

    private static InspectedTensor Quantized(CheckpointReader reader, QuantizedWeight weight, TensorClassifier classifier)
    {
        SafetensorsTensor info = weight.Weight.Info;
        QuantState? state = weight.Scheme == WeightScheme.Int8 ? null : reader.ReadQuantState(weight);
        IReadOnlyList<long> shape = state?.Shape ?? info.Shape;
        TensorKind kind = classifier.Classify(weight.Name, shape);
        return new InspectedTensor(
            weight.Name,
            Path.GetFileName(weight.Weight.Path),
            weight.Scheme,
            info.DType.ToTorchName(),
            state?.DType.ToTorchName(),
            shape,
            state?.ElementCount ?? info.ElementCount,
            weight.ByteLength,
            state?.BlockSize,
            state?.IsDoubleQuantized ?? false,
            KindName(kind == TensorKind.OutputEmbedding || shape.Count != 2 ? kind : TensorKind.Linear));
    }

    private static string KindName(TensorKind kind) => kind switch
    {
        TensorKind.Linear => "linear",
        TensorKind.OutputEmbedding => "output embedding",
        TensorKind.Embedding => "embedding",
        TensorKind.Norm => "norm",
        TensorKind.Convolution => "convolution",
        TensorKind.Bias => "bias",
        _ => "other",
    };
}
