namespace Halfbyte.Checkpoints;

/// <summary>
/// The modules that transformers never quantizes because of the model's class, its <c>_keep_in_fp32_modules</c>: they overflow or lose
/// too much in float16. A config.json does not say so, so the classes that matter are listed here by <c>model_type</c>. In Python these
/// modules stay plain layers whatever the skip list says, and a plain layer cannot load a quantized weight.
/// </summary>
internal static class KeptInFloat32
{
    /// <summary>The parts of a module's dotted path that keep it as it is.</summary>
    /// <param name="modelType"><c>model_type</c> of config.json, or null.</param>
    public static IReadOnlyList<string> Components(string? modelType) => modelType switch
    {
        "t5" or "mt5" or "umt5" or "t5_encoder" or "mt5_encoder" or "umt5_encoder" => ["wo"],
        "blip-2" or "instructblip" or "instructblipvideo" => ["query_tokens", "qformer"],
        _ => [],
    };
}
