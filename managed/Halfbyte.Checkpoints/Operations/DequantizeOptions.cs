namespace Halfbyte.Checkpoints;

/// <summary>What <see cref="CheckpointDequantizer"/> does to a checkpoint.</summary>
public sealed record DequantizeOptions
{
    /// <summary>The type of the restored weights. Null: for 4 bits the type each had before, for 8 bits config.json's, else float16.</summary>
    public DType? DType { get; init; }

    /// <summary>A shard ends before it would exceed this many bytes.</summary>
    public long MaxShardBytes { get; init; } = 5_000_000_000;

    /// <summary>Whether a checkpoint already in the output directory is replaced.</summary>
    public bool Force { get; init; }

    /// <summary>Where the arithmetic runs.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>Bytes of restored weights worked on at a time.</summary>
    public int ChunkBytes { get; init; } = 32 << 20;

    /// <summary>What the input may ask of the reader.</summary>
    public CheckpointLimits Limits { get; init; } = CheckpointLimits.Default;

    internal IStorage Storage { get; init; } = FileStorage.Instance;
}
