namespace Halfbyte.Checkpoints;

/// <summary>Where a checkpoint's files are, found from whatever path a user gives.</summary>
/// <param name="Directory">The directory of the files.</param>
/// <param name="IndexPath">The shard index, or null for a single file.</param>
/// <param name="SingleFile">The only safetensors file, or null if there is an index.</param>
/// <param name="ConfigPath">config.json, or null if there is none.</param>
/// <param name="OwnsDirectory">Whether the other files of the directory belong to the checkpoint; not if a single file was named.</param>
internal sealed record CheckpointLocation(string Directory, string? IndexPath, string? SingleFile, string? ConfigPath, bool OwnsDirectory)
{
    public const string SingleName = "model.safetensors";
    public const string IndexName = "model.safetensors.index.json";
    public const string ConfigName = "config.json";
    public const string IndexSuffix = ".safetensors.index.json";

    public static CheckpointLocation Find(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (System.IO.Directory.Exists(path))
        {
            return FindInDirectory(path);
        }

        if (!File.Exists(path))
        {
            throw new CheckpointFormatException(
                FormatRules.Missing, "there is no such file or directory; expected a checkpoint directory, an index.json or a .safetensors file.", path);
        }

        string directory = Path.GetDirectoryName(path) is { Length: > 0 } parent ? parent : "."; // as it was given, for messages
        return path.EndsWith(IndexSuffix, StringComparison.Ordinal)
            ? new(directory, path, null, ConfigIn(directory), OwnsDirectory: true)
            : path.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
                ? throw new CheckpointFormatException(
                    FormatRules.Missing, $"is no shard index; an index's name ends in {IndexSuffix}. Name the directory instead.", path)
                : new(directory, null, path, ConfigIn(directory), OwnsDirectory: false);
    }

    private static CheckpointLocation FindInDirectory(string directory)
    {
        // transformers looks in this order, too.
        string single = Path.Combine(directory, SingleName);
        if (File.Exists(single))
        {
            return new(directory, null, single, ConfigIn(directory), OwnsDirectory: true);
        }

        string index = Path.Combine(directory, IndexName);
        if (File.Exists(index))
        {
            return new(directory, index, null, ConfigIn(directory), OwnsDirectory: true);
        }

        string[] indexes = List(directory, "*" + IndexSuffix);
        string[] files = List(directory, "*.safetensors");
        if (indexes.Length == 1)
        {
            return new(directory, indexes[0], null, ConfigIn(directory), OwnsDirectory: true);
        }

        if (indexes.Length == 0 && files.Length == 1)
        {
            return new(directory, null, files[0], ConfigIn(directory), OwnsDirectory: true);
        }

        string found = files.Length + indexes.Length > 0
            ? $"it has {files.Length} .safetensors files and {indexes.Length} indexes, none of the usual names; name one of them, or download the missing {IndexName}."
            : List(directory, "*.bin").Length + List(directory, "*.pt").Length + List(directory, "*.pth").Length > 0
                ? "it has PyTorch pickle files only, which can run code and are not read; save the model as safetensors (save_pretrained, safe_serialization=True)."
                : "it has no .safetensors file.";
        throw new CheckpointFormatException(FormatRules.Missing, $"the directory holds no checkpoint this library reads: {found}", directory);
    }

    private static string[] List(string directory, string pattern)
    {
        try
        {
            return [.. System.IO.Directory.GetFiles(directory, pattern).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointFormatException(
                FormatRules.Missing, $"cannot be listed ({SafeText.Escape(e.Message)}).", directory, innerException: e);
        }
    }

    private static string? ConfigIn(string directory)
    {
        string path = Path.Combine(directory, ConfigName);
        return File.Exists(path) ? path : null;
    }
}
