namespace Halfbyte.Checkpoints;

/// <summary>What <see cref="CheckpointQuantizer"/> does to a checkpoint.</summary>
public sealed record QuantizeOptions
{
    /// <summary>The target scheme: <see cref="WeightScheme.Nf4"/>, <see cref="WeightScheme.Fp4"/> or <see cref="WeightScheme.Int8"/>.</summary>
    public WeightScheme Scheme { get; init; } = WeightScheme.Nf4;

    /// <summary>Elements per 4-bit statistic: 32, 64, 128, ..., 4096. Python tools read any; their own writers use 64.</summary>
    public int BlockSize { get; init; } = 64;

    /// <summary>Whether the 4-bit statistics are themselves stored in 8 bits. Saves 0.37 bits per weight at block size 64.</summary>
    public bool DoubleQuantize { get; init; }

    /// <summary>
    /// Modules to keep as they are, by leaf name (<c>out_proj</c>), full name or dotted part of it, as <c>llm_int8_skip_modules</c> has it.
    /// Null: the output embedding. A list replaces that default, so it must name <c>lm_head</c> again. Layers that are
    /// never quantized need no entry: the configuration lists them by itself.
    /// </summary>
    public IReadOnlyList<string>? Skip { get; init; }

    /// <summary>
    /// What <c>bnb_4bit_compute_dtype</c> says, the type in which Python multiplies. Null: the type the quantized weights had, for 4 bits;
    /// float32, which is unused there, for 8 bits.
    /// </summary>
    public DType? ComputeDType { get; init; }

    /// <summary>
    /// The element type under which 4-bit bytes are stored, <c>bnb_4bit_quant_storage</c>: uint8, or float16, bfloat16, float32 for Python
    /// programs that shard parameters by type (FSDP). The bytes are the same.
    /// </summary>
    public SafetensorsDType QuantStorage { get; init; } = SafetensorsDType.U8;

    /// <summary>The outlier threshold of LLM.int8() that the configuration recommends. It does not change the stored weights.</summary>
    public float Int8Threshold { get; init; } = 6.0f;

    /// <summary>A shard ends before it would exceed this many bytes. One weight with its statistics is never split.</summary>
    public long MaxShardBytes { get; init; } = 5_000_000_000;

    /// <summary>Whether a checkpoint already in the output directory is replaced.</summary>
    public bool Force { get; init; }

    /// <summary>Whether everything is decided and reported but nothing is written.</summary>
    public bool DryRun { get; init; }

    /// <summary>Where the arithmetic runs.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>Bytes of weights worked on at a time. Memory use is a small multiple of it.</summary>
    public int ChunkBytes { get; init; } = 32 << 20;

    /// <summary>What the input may ask of the reader.</summary>
    public CheckpointLimits Limits { get; init; } = CheckpointLimits.Default;

    internal IStorage Storage { get; init; } = FileStorage.Instance;
}
