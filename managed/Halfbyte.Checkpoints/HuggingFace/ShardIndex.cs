using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Halfbyte.Checkpoints;

/// <summary>
/// A <c>*.safetensors.index.json</c>: which shard holds which tensor. Shards are plain file names in the index's own directory.
/// </summary>
internal sealed class ShardIndex
{
    private ShardIndex(string path, Dictionary<string, string> weightMap, List<string> shards, long? totalSize)
    {
        Path = path;
        WeightMap = weightMap;
        Shards = shards;
        TotalSize = totalSize;
    }

    public string Path { get; }

    /// <summary>Tensor to shard.</summary>
    public Dictionary<string, string> WeightMap { get; }

    /// <summary>Distinct shards, sorted by name.</summary>
    public List<string> Shards { get; }

    /// <summary><c>metadata.total_size</c>: bytes of all tensors, if the file says.</summary>
    public long? TotalSize { get; }

    public static ShardIndex Load(string path, CheckpointLimits limits)
    {
        byte[] json = SmallFile.Read(path, limits.MaxIndexBytes, FormatRules.ShardIndex);
        if (!Utf8.IsValid(json))
        {
            throw new CheckpointFormatException(FormatRules.ShardIndex, "is not valid UTF-8.", path);
        }

        try
        {
            return Parse(json, path, limits);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new CheckpointFormatException(
                FormatRules.ShardIndex, "is not valid JSON; download or write it again.", path, innerException: e);
        }
    }

    /// <summary>The file as transformers writes it.</summary>
    public static byte[] Write(IEnumerable<KeyValuePair<string, string>> weightMap, long totalSize)
    {
        StringBuilder text = new();
        text.Append("{\n  \"metadata\": {\n    \"total_size\": ").Append(totalSize).Append("\n  },\n  \"weight_map\": {");
        bool first = true;
        foreach ((string name, string shard) in weightMap.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            text.Append(first ? "\n    " : ",\n    ").Append(PythonJson.String(name)).Append(": ").Append(PythonJson.String(shard));
            first = false;
        }

        text.Append(first ? "}\n}\n" : "\n  }\n}\n");
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static ShardIndex Parse(byte[] json, string path, CheckpointLimits limits)
    {
        Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = 16 });
        Dictionary<string, string>? weightMap = null;
        long? totalSize = null;
        HashSet<string> seen = new(StringComparer.Ordinal);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Fail("must be a JSON object with weight_map.", path);
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            string key = reader.GetString()!;
            if (!seen.Add(key))
            {
                throw Fail($"member {SafeText.Quote(key)} occurs twice; expected it once.", path);
            }

            reader.Read();
            switch (key)
            {
                case "weight_map":
                    weightMap = ReadWeightMap(ref reader, path, limits);
                    break;
                case "metadata":
                    totalSize = ReadTotalSize(ref reader, path);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        while (reader.Read())
        {
        }

        if (weightMap is null || weightMap.Count == 0)
        {
            throw Fail("weight_map is missing or empty; expected one entry per tensor.", path);
        }

        List<string> shards = [.. weightMap.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        return new ShardIndex(path, weightMap, shards, totalSize);
    }

    private static Dictionary<string, string> ReadWeightMap(ref Utf8JsonReader reader, string path, CheckpointLimits limits)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Fail("weight_map must be an object from tensor to shard.", path);
        }

        Dictionary<string, string> map = new(StringComparer.Ordinal);
        HashSet<string> names = new(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (map.Count >= limits.MaxTensors)
            {
                throw Fail($"weight_map has more than {limits.MaxTensors} entries, the limit of this reader.", path);
            }

            string tensor = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw new CheckpointFormatException(FormatRules.ShardIndex, "weight_map must name a file.", path, tensor);
            }

            string shard = reader.GetString()!;
            if (names.TryGetValue(shard, out string? known))
            {
                shard = known;
            }
            else if (SafePath.Objection(shard) is { } objection)
            {
                throw new CheckpointFormatException(
                    FormatRules.ShardPath,
                    $"weight_map names the shard {SafeText.Quote(shard)}, which {objection}; expected a file name in the index's own directory.",
                    path,
                    tensor);
            }
            else
            {
                names.Add(shard);
            }

            if (!map.TryAdd(tensor, shard))
            {
                throw new CheckpointFormatException(
                    FormatRules.ShardIndex, "weight_map names the tensor twice; expected it once.", path, tensor);
            }
        }

        return map;
    }

    private static long? ReadTotalSize(ref Utf8JsonReader reader, string path)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Fail("metadata must be an object.", path);
        }

        long? total = null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            bool wanted = reader.ValueTextEquals("total_size"u8);
            reader.Read();
            if (!wanted)
            {
                reader.Skip();
                continue;
            }

            // Some writers store a whole number as 123.0.
            if (total is not null
                || reader.TokenType != JsonTokenType.Number
                || !reader.TryGetDouble(out double number)
                || number is < 0 or >= 9.2e18
                || number != Math.Floor(number))
            {
                throw Fail("metadata.total_size must be one whole number of bytes.", path);
            }

            total = reader.TryGetInt64(out long exact) ? exact : (long)number;
        }

        return total;
    }

    private static CheckpointFormatException Fail(string sentence, string path) => new(FormatRules.ShardIndex, sentence, path);
}
