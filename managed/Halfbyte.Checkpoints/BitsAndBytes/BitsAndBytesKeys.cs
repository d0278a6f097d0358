namespace Halfbyte.Checkpoints;

/// <summary>The names bitsandbytes gives the parts of a quantized weight, appended to the weight's own name.</summary>
public static class BitsAndBytesKeys
{
    /// <summary>4-bit statistics: float32, or uint8 if double quantized.</summary>
    public const string Absmax = ".absmax";

    /// <summary>The 16 values of the 4-bit codes, float32.</summary>
    public const string QuantMap = ".quant_map";

    /// <summary>Statistics of the statistics, float32, one per 256.</summary>
    public const string NestedAbsmax = ".nested_absmax";

    /// <summary>The 256 values of the codes of the statistics, float32.</summary>
    public const string NestedQuantMap = ".nested_quant_map";

    /// <summary>What precedes the type's name in the key of the packed state: JSON in a uint8 tensor.</summary>
    public const string QuantState = ".quant_state.";

    /// <summary>The type name of NF4 in that key.</summary>
    public const string Nf4 = "bitsandbytes__nf4";

    /// <summary>The type name of FP4 in that key.</summary>
    public const string Fp4 = "bitsandbytes__fp4";

    /// <summary>LLM.int8() statistics, float32, one per row. Beside the weight: <c>layer.SCB</c> for <c>layer.weight</c>.</summary>
    public const string Scb = "SCB";

    /// <summary>The layout of an int8 weight, a uint8 scalar: 0 for row-major, the only one in use. Beside the weight.</summary>
    public const string WeightFormat = "weight_format";

    /// <summary>The members of the state in the unpacked form, one tensor each.</summary>
    internal static readonly string[] UnpackedMembers =
        [".quant_type", ".blocksize", ".dtype", ".shape", ".nested_blocksize", ".nested_dtype", ".nested_offset"];

    internal static string QuantStateKey(string weight, WeightScheme scheme) =>
        weight + QuantState + (scheme == WeightScheme.Nf4 ? Nf4 : Fp4);

    /// <summary>The module of a weight, or null if the name does not end in <c>.weight</c>.</summary>
    internal static string? ModuleOf(string weight) =>
        weight.EndsWith(".weight", StringComparison.Ordinal) && weight.Length > 7 ? weight[..^7] : null;
}
