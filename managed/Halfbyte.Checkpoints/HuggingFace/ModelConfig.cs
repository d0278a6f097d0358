using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Halfbyte.Checkpoints;

/// <summary>
/// A model's config.json: the few members this library understands, and the text itself, which is edited in place so that every
/// other member keeps its bytes and its order.
/// </summary>
public sealed class ModelConfig
{
    private const string Member = "quantization_config";

    /// <summary>Where models of several parts keep the configuration of their language model.</summary>
    private static readonly string[] TextConfigs = ["text_config", "llm_config", "language_config", "decoder"];

    private readonly byte[] _text;

    private ModelConfig(string path, byte[] text, JsonElement root)
    {
        Path = path;
        _text = text;
        ModelType = Text(root, "model_type");
        TorchDType = Text(root, "torch_dtype") ?? Text(root, "dtype");
        foreach (JsonElement part in Parts(root))
        {
            TieWordEmbeddings ??= Bool(part, "tie_word_embeddings");
            VocabSize ??= Integer(part, "vocab_size");
            TorchDType ??= Text(part, "torch_dtype") ?? Text(part, "dtype");
        }

        if (root.TryGetProperty(Member, out JsonElement quantization) && quantization.ValueKind != JsonValueKind.Null)
        {
            Quantization = QuantizationConfig.Parse(quantization, path);
        }
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary><c>model_type</c>, or null.</summary>
    public string? ModelType { get; }

    /// <summary><c>torch_dtype</c> (or <c>dtype</c>, as newer files call it), or null.</summary>
    public string? TorchDType { get; }

    /// <summary><c>tie_word_embeddings</c> of the model or its language part, or null if neither says.</summary>
    public bool? TieWordEmbeddings { get; }

    /// <summary><c>vocab_size</c> of the model or its language part, or null.</summary>
    public long? VocabSize { get; }

    /// <summary><c>quantization_config</c>, or null.</summary>
    public QuantizationConfig? Quantization { get; }

    /// <summary>Reads a config.json.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limits">How long it may be; null for the defaults.</param>
    /// <exception cref="CheckpointFormatException">The file is too long, no JSON object, or its quantization_config is inconsistent.</exception>
    public static ModelConfig Load(string path, CheckpointLimits? limits = null) =>
        Parse(SmallFile.Read(path, (limits ?? CheckpointLimits.Default).MaxConfigBytes, FormatRules.Config), path);

    internal static ModelConfig Parse(byte[] text, string path)
    {
        if (!Utf8.IsValid(text))
        {
            throw new CheckpointFormatException(FormatRules.Config, "is not valid UTF-8.", path);
        }

        try
        {
            _ = Members(text, out _);
            using JsonDocument document = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new ModelConfig(path, text, document.RootElement)
                : throw new CheckpointFormatException(FormatRules.Config, "must be a JSON object.", path);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            throw new CheckpointFormatException(
                FormatRules.Config, $"is not valid JSON ({SafeText.Escape(e.Message)}).", path, innerException: e);
        }
    }

    /// <summary>The text with <paramref name="quantization"/> as its quantization_config, everything else byte for byte.</summary>
    public byte[] WithQuantization(QuantizationConfig quantization)
    {
        ArgumentNullException.ThrowIfNull(quantization);
        byte[] text = WithoutQuantization();
        List<(string Key, int Start, int End)> members = Members(text, out int open);
        string value = $"\"{Member}\": {quantization.ToPythonJson(1)}";
        if (members.Count == 0)
        {
            return Splice(text, open + 1, open + 1, $"\n  {value}\n");
        }

        // transformers sorts; where the file is sorted the new member takes its place, else the end.
        bool sorted = members.Zip(members.Skip(1)).All(p => string.CompareOrdinal(p.First.Key, p.Second.Key) < 0);
        int next = sorted ? members.FindIndex(m => string.CompareOrdinal(m.Key, Member) > 0) : -1;
        return next >= 0
            ? Splice(text, members[next].Start, members[next].Start, value + ",\n  ")
            : Splice(text, members[^1].End, members[^1].End, ",\n  " + value);
    }

    /// <summary>The text without quantization_config, everything else byte for byte.</summary>
    public byte[] WithoutQuantization()
    {
        List<(string Key, int Start, int End)> members = Members(_text, out _);
        int index = members.FindIndex(m => m.Key == Member);
        if (index < 0)
        {
            return _text;
        }

        if (index + 1 < members.Count)
        {
            return Splice(_text, members[index].Start, members[index + 1].Start, "");
        }

        int start = index > 0 ? members[index - 1].End : members[index].Start;
        return Splice(_text, start, members[index].End, "");
    }

    private static IEnumerable<JsonElement> Parts(JsonElement root)
    {
        yield return root;
        foreach (string name in TextConfigs)
        {
            if (root.TryGetProperty(name, out JsonElement part) && part.ValueKind == JsonValueKind.Object)
            {
                yield return part;
            }
        }
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool? Bool(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : null;

    private static long? Integer(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number)
            ? number
            : null;

    /// <summary>The top-level members with the byte ranges from the key's quote to the end of the value.</summary>
    private static List<(string Key, int Start, int End)> Members(byte[] text, out int open)
    {
        List<(string, int, int)> members = [];
        Utf8JsonReader reader = new(text);
        reader.Read();
        open = (int)reader.TokenStartIndex;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            int start = (int)reader.TokenStartIndex;
            reader.Read();
            reader.Skip();
            members.Add((key, start, (int)reader.BytesConsumed));
        }

        return members;
    }

    private static byte[] Splice(byte[] text, int start, int end, string insert) =>
        [.. text.AsSpan(0, start), .. Encoding.UTF8.GetBytes(insert), .. text.AsSpan(end)];
}
