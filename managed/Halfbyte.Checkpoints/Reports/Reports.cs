using System.Text.Json.Serialization;

namespace Halfbyte.Checkpoints;

/// <summary>What became of one weight or tensor when a checkpoint was quantized or dequantized.</summary>
/// <param name="Name">The weight's name, as the file spells it.</param>
/// <param name="Shape">Its shape as a full-precision tensor.</param>
/// <param name="From">How it was stored: "bfloat16", "nf4", ...</param>
/// <param name="To">How it is stored now; equal to <paramref name="From"/> if it passed through.</param>
/// <param name="InputBytes">Bytes before, statistics included.</param>
/// <param name="OutputBytes">Bytes after, statistics included.</param>
/// <param name="Reason">Why it passed through ("skipped: lm_head", "embedding", "1-D", ...), or null if it was converted.</param>
public sealed record ConvertedTensor(
    string Name, IReadOnlyList<long> Shape, string From, string To, long InputBytes, long OutputBytes, string? Reason);

/// <summary>What <see cref="CheckpointQuantizer"/> or <see cref="CheckpointDequantizer"/> did.</summary>
public sealed record ConversionReport
{
    /// <summary>The input path as given.</summary>
    public required string Input { get; init; }

    /// <summary>The output directory as given.</summary>
    public required string Output { get; init; }

    /// <summary>The target: "nf4", "fp4", "int8", or for dequantizing "bfloat16", ... or "as before".</summary>
    public required string Target { get; init; }

    /// <summary>Elements per 4-bit statistic, or null.</summary>
    public int? BlockSize { get; init; }

    /// <summary>Whether 4-bit statistics were double quantized.</summary>
    public bool DoubleQuantized { get; init; }

    /// <summary>Whether nothing was written.</summary>
    public bool DryRun { get; init; }

    /// <summary>Every tensor of the input, in the order it was written.</summary>
    public required IReadOnlyList<ConvertedTensor> Tensors { get; init; }

    /// <summary>How many weights were converted.</summary>
    public required int ConvertedCount { get; init; }

    /// <summary>How many tensors passed through byte for byte.</summary>
    public required int PassedThroughCount { get; init; }

    /// <summary>Bytes of tensors in the input.</summary>
    public required long InputBytes { get; init; }

    /// <summary>Bytes of tensors in the output.</summary>
    public required long OutputBytes { get; init; }

    /// <summary>The safetensors files of the output, in order.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>Sentences the user should read: skip entries that match nothing, layers known to break in Python, ...</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>How long it took, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>Input bytes over output bytes.</summary>
    public double Ratio => OutputBytes == 0 ? 1 : (double)InputBytes / OutputBytes;
}

/// <summary>One weight or tensor of an inspected checkpoint; the parts of a quantized weight are one entry.</summary>
/// <param name="Name">The name, as the file spells it.</param>
/// <param name="File">The safetensors file that holds it, without its directory.</param>
/// <param name="Scheme">How it is stored.</param>
/// <param name="DType">The stored element type ("bfloat16", "uint8", ...).</param>
/// <param name="OriginalDType">For a 4-bit weight the type it had and is restored to; else null.</param>
/// <param name="Shape">The shape as a full-precision tensor.</param>
/// <param name="Elements">The number of elements of that shape.</param>
/// <param name="Bytes">Stored bytes, statistics included.</param>
/// <param name="BlockSize">Elements per 4-bit statistic, or null.</param>
/// <param name="DoubleQuantized">Whether the statistics are double quantized.</param>
/// <param name="Kind">What the name and shape say it is: "linear", "embedding", "norm", "convolution", "bias", "output embedding", "other".</param>
public sealed record InspectedTensor(
    string Name,
    string File,
    WeightScheme Scheme,
    [property: JsonPropertyName("dtype")] string DType,
    [property: JsonPropertyName("original_dtype")] string? OriginalDType,
    IReadOnlyList<long> Shape,
    long Elements,
    long Bytes,
    int? BlockSize,
    bool DoubleQuantized,
    string Kind);

/// <summary>Totals over the tensors stored in one way.</summary>
/// <param name="Storage">"bfloat16", "nf4", "nf4+dq", "int8", ...</param>
/// <param name="Tensors">How many.</param>
/// <param name="Elements">Their elements.</param>
/// <param name="Bytes">Their bytes, statistics included.</param>
public sealed record StorageTotal(string Storage, int Tensors, long Elements, long Bytes);

/// <summary>What <see cref="CheckpointInspector"/> found, from headers and quant_state blobs alone.</summary>
public sealed record InspectionReport
{
    /// <summary>The path as given.</summary>
    public required string Path { get; init; }

    /// <summary>The safetensors files, in order.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>config.json's model_type, or null.</summary>
    public string? ModelType { get; init; }

    /// <summary>config.json's quantization_config, or null.</summary>
    public QuantizationConfig? Quantization { get; init; }

    /// <summary>Every weight and tensor, in file order.</summary>
    public required IReadOnlyList<InspectedTensor> Tensors { get; init; }

    /// <summary>Totals by storage, largest first.</summary>
    public required IReadOnlyList<StorageTotal> Totals { get; init; }

    /// <summary>Elements in all, counted as full-precision tensors.</summary>
    public required long Parameters { get; init; }

    /// <summary>Bytes of tensors in all.</summary>
    public required long Bytes { get; init; }
}

/// <summary>How serious a finding is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FindingSeverity>))]
public enum FindingSeverity
{
    /// <summary>Legal, but probably not what was meant.</summary>
    [JsonStringEnumMemberName("warning")]
    Warning = 1,

    /// <summary>A broken rule: the checkpoint must not be used.</summary>
    [JsonStringEnumMemberName("error")]
    Error = 2,
}

/// <summary>One thing <see cref="CheckpointVerifier"/> found wrong.</summary>
/// <param name="Severity">How serious it is.</param>
/// <param name="Rule">The rule, one of <see cref="FormatRules"/>.</param>
/// <param name="File">The file, without its directory, or null.</param>
/// <param name="Tensor">The tensor, as the file spells it, or null.</param>
/// <param name="Message">One line, already escaped.</param>
public sealed record VerificationFinding(FindingSeverity Severity, string Rule, string? File, string? Tensor, string Message);

/// <summary>What <see cref="CheckpointVerifier"/> found.</summary>
public sealed record VerificationReport
{
    /// <summary>The path as given.</summary>
    public required string Path { get; init; }

    /// <summary>Whether no finding is an error.</summary>
    public required bool Passed { get; init; }

    /// <summary>The findings, in file order.</summary>
    public required IReadOnlyList<VerificationFinding> Findings { get; init; }

    /// <summary>Findings beyond <see cref="VerifyOptions.MaxFindings"/>.</summary>
    public int FindingsOmitted { get; init; }

    /// <summary>Tensors checked.</summary>
    public required int Tensors { get; init; }

    /// <summary>Quantized weights checked.</summary>
    public required int QuantizedWeights { get; init; }

    /// <summary>Bytes read.</summary>
    public required long BytesRead { get; init; }
}

/// <summary>How far one weight is from its original.</summary>
/// <param name="Name">The weight.</param>
/// <param name="Scheme">How the second checkpoint stores it, "nf4", "int8", "bfloat16", ...</param>
/// <param name="Shape">Its shape.</param>
/// <param name="RelativeError">Frobenius norm of the difference over that of the original; 0 if both are zero.</param>
/// <param name="MaxError">Largest absolute difference of an element.</param>
/// <param name="Cosine">Cosine of the angle between the two as vectors; 1 if both are zero.</param>
/// <param name="SqnrDecibel">Signal to quantization noise, 20 log10(1 / RelativeError); null if there is no difference.</param>
/// <param name="Identical">Whether the stored bytes are equal.</param>
public sealed record ComparedTensor(
    string Name,
    string Scheme,
    IReadOnlyList<long> Shape,
    double RelativeError,
    double MaxError,
    double Cosine,
    double? SqnrDecibel,
    bool Identical);

/// <summary>What <see cref="CheckpointComparer"/> measured.</summary>
public sealed record ComparisonReport
{
    /// <summary>The first path, the reference.</summary>
    public required string Original { get; init; }

    /// <summary>The second path.</summary>
    public required string Other { get; init; }

    /// <summary>Every weight and tensor both hold.</summary>
    public required IReadOnlyList<ComparedTensor> Tensors { get; init; }

    /// <summary>Names only the first holds.</summary>
    public required IReadOnlyList<string> OnlyInOriginal { get; init; }

    /// <summary>Names only the second holds.</summary>
    public required IReadOnlyList<string> OnlyInOther { get; init; }

    /// <summary>Frobenius norm of all differences over that of all originals, over the weights that differ in storage.</summary>
    public required double RelativeError { get; init; }

    /// <summary>Largest absolute difference of any element.</summary>
    public required double MaxError { get; init; }

    /// <summary>How many weights differ in storage and were measured.</summary>
    public required int MeasuredCount { get; init; }

    /// <summary>How many tensors are stored byte for byte alike.</summary>
    public required int IdenticalCount { get; init; }
}
