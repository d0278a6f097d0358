namespace Halfbyte.Checkpoints;

/// <summary>A tensor of a checkpoint and the file that holds it.</summary>
/// <param name="File">The file.</param>
/// <param name="Info">Its entry in the file's header.</param>
public sealed record CheckpointTensor(SafetensorsFile File, SafetensorsTensor Info)
{
    /// <summary>The name, as the file spells it.</summary>
    public string Name => Info.Name;

    internal string Path => File.Path;
}

/// <summary>The tensors that together are one weight quantized by bitsandbytes, found by their names.</summary>
public sealed class QuantizedWeight
{
    internal QuantizedWeight(string name, WeightScheme scheme, CheckpointTensor weight)
    {
        Name = name;
        Scheme = scheme;
        Weight = weight;
    }

    /// <summary>The weight's name, such as <c>model.layers.3.mlp.up_proj.weight</c>.</summary>
    public string Name { get; }

    /// <summary>How it is stored.</summary>
    public WeightScheme Scheme { get; }

    /// <summary>The codes.</summary>
    public CheckpointTensor Weight { get; }

    internal CheckpointTensor? Absmax { get; set; }

    internal CheckpointTensor? QuantMap { get; set; }

    internal CheckpointTensor? NestedAbsmax { get; set; }

    internal CheckpointTensor? NestedQuantMap { get; set; }

    /// <summary>The packed state, or null if it is unpacked.</summary>
    internal CheckpointTensor? PackedState { get; set; }

    /// <summary>The members of the unpacked state by name, without the leading dot.</summary>
    internal Dictionary<string, CheckpointTensor>? UnpackedState { get; set; }

    internal CheckpointTensor? Scb { get; set; }

    internal CheckpointTensor? WeightFormat { get; set; }

    /// <summary>All tensors of the weight, the codes first.</summary>
    internal IEnumerable<CheckpointTensor> Parts
    {
        get
        {
            yield return Weight;
            foreach (CheckpointTensor? part in (CheckpointTensor?[])[Absmax, QuantMap, NestedAbsmax, NestedQuantMap, PackedState, Scb, WeightFormat])
            {
                if (part is not null)
                {
                    yield return part;
                }
            }

            if (UnpackedState is not null)
            {
                foreach (CheckpointTensor part in UnpackedState.Values)
                {
                    yield return part;
                }
            }
        }
    }

    internal long ByteLength => Parts.Sum(p => p.Info.ByteLength);
}
