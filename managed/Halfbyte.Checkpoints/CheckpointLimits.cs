namespace Halfbyte.Checkpoints;

/// <summary>
/// How much a file may ask of its reader before it is refused. Every number is compared before anything is allocated for it.
/// </summary>
public sealed record CheckpointLimits
{
    /// <summary>The limits used where none are given.</summary>
    public static CheckpointLimits Default { get; } = new();

    /// <summary>Longest safetensors header, in bytes. The format's own limit is 100,000,000.</summary>
    public int MaxHeaderBytes { get; init; } = 100_000_000;

    /// <summary>Most tensors in one file, and in one checkpoint.</summary>
    public int MaxTensors { get; init; } = 1_000_000;

    /// <summary>Longest tensor name, in UTF-8 bytes.</summary>
    public int MaxNameBytes { get; init; } = 4096;

    /// <summary>Longest shard index, in bytes.</summary>
    public long MaxIndexBytes { get; init; } = 128L << 20;

    /// <summary>Longest config.json, in bytes.</summary>
    public long MaxConfigBytes { get; init; } = 1L << 20;

    /// <summary>Longest quant_state blob, in bytes.</summary>
    public int MaxQuantStateBytes { get; init; } = 16 << 10;
}
