namespace Halfbyte.Checkpoints;

/// <summary>The names of the rules a <see cref="CheckpointFormatException"/> can report. They are stable.</summary>
public static class FormatRules
{
    /// <summary>There is a checkpoint at the path, and its files can be found.</summary>
    public const string Missing = "checkpoint.missing";

    /// <summary>The file is at least eight bytes and as long as its header says; it does not change while it is read.</summary>
    public const string FileLength = "safetensors.file-length";

    /// <summary>The header's length is within the file and within the limit.</summary>
    public const string HeaderLength = "safetensors.header-length";

    /// <summary>The header is UTF-8 and a JSON object of the expected structure.</summary>
    public const string HeaderJson = "safetensors.header-json";

    /// <summary>No name and no member occurs twice.</summary>
    public const string Duplicate = "safetensors.duplicate";

    /// <summary>The header describes no more tensors than the limit.</summary>
    public const string TensorCount = "safetensors.tensor-count";

    /// <summary>A name is no longer than the limit and not empty.</summary>
    public const string TensorName = "safetensors.tensor-name";

    /// <summary>The element type is one the format knows.</summary>
    public const string DType = "safetensors.dtype";

    /// <summary>Dimensions are plain non-negative integers whose product, in bits and bytes, fits in 63 bits.</summary>
    public const string Shape = "safetensors.shape";

    /// <summary>Tensors cover the data section without gap, overlap or trailer, and each range has the size of its shape.</summary>
    public const string DataOffsets = "safetensors.data-offsets";

    /// <summary>Metadata is an object of strings.</summary>
    public const string Metadata = "safetensors.metadata";

    /// <summary>The shard index is JSON of the expected structure and agrees with its shards.</summary>
    public const string ShardIndex = "index.structure";

    /// <summary>A shard is a file inside the checkpoint's own directory.</summary>
    public const string ShardPath = "index.shard-path";

    /// <summary>config.json is a JSON object of reasonable size.</summary>
    public const string Config = "config.json";

    /// <summary>quantization_config is consistent and of a method this library reads.</summary>
    public const string QuantizationConfig = "config.quantization";

    /// <summary>The quant_state blob is a JSON object with exactly the known members and valid values.</summary>
    public const string QuantState = "bitsandbytes.quant-state";

    /// <summary>A quantized weight has all its parts, once, with the element types and lengths its shape demands.</summary>
    public const string QuantizedParts = "bitsandbytes.parts";

    /// <summary>Statistics are finite and not negative.</summary>
    public const string Statistics = "bitsandbytes.statistics";

    /// <summary>Code tables are those of their format.</summary>
    public const string CodeTable = "bitsandbytes.code-table";

    /// <summary>Weights to be quantized are finite; dequantized weights fit their type.</summary>
    public const string NonFinite = "weights.non-finite";

    /// <summary>The weight has an element type the operation can use.</summary>
    public const string WeightDType = "weights.dtype";

    /// <summary>The checkpoint is not already quantized where it must not be, or is where it must be.</summary>
    public const string AlreadyQuantized = "weights.already-quantized";
}
