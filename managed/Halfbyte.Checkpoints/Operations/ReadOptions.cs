namespace Halfbyte.Checkpoints;

/// <summary>How <see cref="CheckpointInspector"/> reads.</summary>
public sealed record InspectOptions
{
    /// <summary>What the input may ask of the reader.</summary>
    public CheckpointLimits Limits { get; init; } = CheckpointLimits.Default;
}

/// <summary>How <see cref="CheckpointVerifier"/> reads.</summary>
public sealed record VerifyOptions
{
    /// <summary>
    /// Whether the bytes are read as well: statistics finite, code tables right, codes in range, floating-point weights finite.
    /// Without it only headers and quant_state blobs are.
    /// </summary>
    public bool ReadData { get; init; } = true;

    /// <summary>The most findings reported; the rest is counted.</summary>
    public int MaxFindings { get; init; } = 1000;

    /// <summary>What the input may ask of the reader.</summary>
    public CheckpointLimits Limits { get; init; } = CheckpointLimits.Default;
}

/// <summary>How <see cref="CheckpointComparer"/> compares.</summary>
public sealed record CompareOptions
{
    /// <summary>Whether tensors that are stored alike on both sides are compared too, byte for byte.</summary>
    public bool ComparePassedThrough { get; init; } = true;

    /// <summary>Where the arithmetic runs.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>Bytes of weights worked on at a time.</summary>
    public int ChunkBytes { get; init; } = 16 << 20;

    /// <summary>What the inputs may ask of the reader.</summary>
    public CheckpointLimits Limits { get; init; } = CheckpointLimits.Default;
}
