using System.Text.Json;
using System.Text.Json.Serialization;

namespace Halfbyte.Checkpoints;

/// <summary>
/// The <c>quantization_config</c> member of a Hugging Face config.json for bitsandbytes, with every field transformers writes and the
/// defaults transformers has. In a report it has the names of config.json.
/// </summary>
public sealed record QuantizationConfig
{
    /// <summary><c>quant_method</c>; the only method this library writes is "bitsandbytes".</summary>
    [JsonPropertyName("quant_method")]
    public string QuantMethod { get; init; } = "bitsandbytes";

    /// <summary><c>load_in_8bit</c>: the weights are LLM.int8(). Excludes <see cref="LoadIn4Bit"/>.</summary>
    [JsonPropertyName("load_in_8bit")]
    public bool LoadIn8Bit { get; init; }

    /// <summary><c>load_in_4bit</c>: the weights are NF4 or FP4.</summary>
    [JsonPropertyName("load_in_4bit")]
    public bool LoadIn4Bit { get; init; }

    /// <summary><c>llm_int8_threshold</c>: magnitude from which on an activation is an outlier.</summary>
    [JsonPropertyName("llm_int8_threshold")]
    public double Int8Threshold { get; init; } = 6.0;

    /// <summary><c>llm_int8_skip_modules</c>: modules that are not quantized; null for transformers' default, the output embedding.</summary>
    [JsonPropertyName("llm_int8_skip_modules")]
    public IReadOnlyList<string>? SkipModules { get; init; }

    /// <summary><c>llm_int8_enable_fp32_cpu_offload</c>.</summary>
    [JsonPropertyName("llm_int8_enable_fp32_cpu_offload")]
    public bool EnableFp32CpuOffload { get; init; }

    /// <summary><c>llm_int8_has_fp16_weight</c>.</summary>
    [JsonPropertyName("llm_int8_has_fp16_weight")]
    public bool HasFp16Weight { get; init; }

    /// <summary><c>bnb_4bit_compute_dtype</c>: the type Python multiplies in.</summary>
    [JsonPropertyName("bnb_4bit_compute_dtype")]
    public string ComputeDType { get; init; } = "float32";

    /// <summary><c>bnb_4bit_quant_type</c>: "fp4" or "nf4".</summary>
    [JsonPropertyName("bnb_4bit_quant_type")]
    public string QuantType { get; init; } = "fp4";

    /// <summary><c>bnb_4bit_use_double_quant</c>: the statistics are stored in 8 bits.</summary>
    [JsonPropertyName("bnb_4bit_use_double_quant")]
    public bool UseDoubleQuant { get; init; }

    /// <summary><c>bnb_4bit_quant_storage</c>: the element type under which 4-bit bytes are stored.</summary>
    [JsonPropertyName("bnb_4bit_quant_storage")]
    public string QuantStorage { get; init; } = "uint8";

    /// <summary>The JSON object as transformers writes it: members sorted, indented by two spaces per level.</summary>
    /// <param name="depth">Levels of indentation the object stands at; 1 inside config.json.</param>
    internal string ToPythonJson(int depth)
    {
        string inner = new(' ', 2 * (depth + 1));
        string skip = "null";
        if (SkipModules is { Count: 0 })
        {
            skip = "[]";
        }
        else if (SkipModules is not null)
        {
            string item = inner + "  ";
            skip = "[\n" + string.Join(",\n", SkipModules.Select(m => item + PythonJson.String(m))) + "\n" + inner + "]";
        }

        (string Key, string Value)[] members =
        [
            ("_load_in_4bit", Bool(LoadIn4Bit)),
            ("_load_in_8bit", Bool(LoadIn8Bit)),
            ("bnb_4bit_compute_dtype", PythonJson.String(ComputeDType)),
            ("bnb_4bit_quant_storage", PythonJson.String(QuantStorage)),
            ("bnb_4bit_quant_type", PythonJson.String(QuantType)),
            ("bnb_4bit_use_double_quant", Bool(UseDoubleQuant)),
            ("llm_int8_enable_fp32_cpu_offload", Bool(EnableFp32CpuOffload)),
            ("llm_int8_has_fp16_weight", Bool(HasFp16Weight)),
            ("llm_int8_skip_modules", skip),
            ("llm_int8_threshold", PythonJson.Float(Int8Threshold)),
            ("load_in_4bit", Bool(LoadIn4Bit)),
            ("load_in_8bit", Bool(LoadIn8Bit)),
            ("quant_method", PythonJson.String(QuantMethod)),
        ];
        return "{\n" + string.Join(",\n", members.Select(m => $"{inner}\"{m.Key}\": {m.Value}")) + "\n" + new string(' ', 2 * depth) + "}";
    }

    /// <summary>
    /// Reads the member. Unknown members are left alone, as transformers does. Files older than <c>quant_method</c> are recognized by
    /// <c>load_in_4bit</c> and <c>load_in_8bit</c>.
    /// </summary>
    internal static QuantizationConfig Parse(JsonElement element, string path)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw Fail("quantization_config must be an object.", path);
        }

        bool fourBit = ReadBool(element, "load_in_4bit", ReadBool(element, "_load_in_4bit", false, path), path);
        bool eightBit = ReadBool(element, "load_in_8bit", ReadBool(element, "_load_in_8bit", false, path), path);
        string? method = ReadString(element, "quant_method", null, path);
        if (method is null && !fourBit && !eightBit)
        {
            throw Fail("quantization_config has neither quant_method nor load_in_4bit nor load_in_8bit; one must say what it is.", path);
        }

        if (fourBit && eightBit)
        {
            throw Fail("quantization_config sets load_in_4bit and load_in_8bit; only one can be true.", path);
        }

        QuantizationConfig defaults = new();
        return new QuantizationConfig
        {
            QuantMethod = method ?? defaults.QuantMethod,
            LoadIn4Bit = fourBit,
            LoadIn8Bit = eightBit,
            Int8Threshold = ReadNumber(element, "llm_int8_threshold", defaults.Int8Threshold, path),
            SkipModules = ReadStrings(element, "llm_int8_skip_modules", path),
            EnableFp32CpuOffload = ReadBool(element, "llm_int8_enable_fp32_cpu_offload", false, path),
            HasFp16Weight = ReadBool(element, "llm_int8_has_fp16_weight", false, path),
            ComputeDType = ReadString(element, "bnb_4bit_compute_dtype", defaults.ComputeDType, path)!,
            QuantType = ReadString(element, "bnb_4bit_quant_type", defaults.QuantType, path)!,
            UseDoubleQuant = ReadBool(element, "bnb_4bit_use_double_quant", false, path),
            QuantStorage = ReadString(element, "bnb_4bit_quant_storage", defaults.QuantStorage, path)!,
        };
    }

    private static string Bool(bool value) => value ? "true" : "false";

    private static bool Find(JsonElement element, string name, out JsonElement value) =>
        element.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;

    private static bool ReadBool(JsonElement element, string name, bool fallback, string path) =>
        !Find(element, name, out JsonElement value) ? fallback
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw Fail($"quantization_config.{name} must be true or false.", path);

    private static string? ReadString(JsonElement element, string name, string? fallback, string path)
    {
        if (!Find(element, name, out JsonElement value))
        {
            return fallback;
        }

        return value.ValueKind == JsonValueKind.String ? Text(value, path) : throw Fail($"quantization_config.{name} must be a string.", path);
    }

    private static double ReadNumber(JsonElement element, string name, double fallback, string path)
    {
        if (!Find(element, name, out JsonElement value))
        {
            return fallback;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number)
            ? number
            : throw Fail($"quantization_config.{name} must be a finite number.", path);
    }

    private static string[]? ReadStrings(JsonElement element, string name, string path)
    {
        if (!Find(element, name, out JsonElement value))
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            throw Fail($"quantization_config.{name} must be a list of strings.", path);
        }

        return [.. value.EnumerateArray().Select(e => e.ValueKind == JsonValueKind.String
            ? Text(e, path)
            : throw Fail($"quantization_config.{name} must be a list of strings.", path))];
    }

    private static string Text(JsonElement value, string path)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new CheckpointFormatException(
                FormatRules.QuantizationConfig, "quantization_config holds a string that is not valid Unicode.", path, innerException: e);
        }
    }

    private static CheckpointFormatException Fail(string sentence, string path) => new(FormatRules.QuantizationConfig, sentence, path);
}
