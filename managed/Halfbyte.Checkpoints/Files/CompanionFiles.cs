namespace Halfbyte.Checkpoints;

/// <summary>
/// The files of a model's directory that are not its weights: tokenizer, generation settings, Python code. They go along unchanged.
/// </summary>
internal static class CompanionFiles
{
    private const int MaxDepth = 4;
    private const int MaxFiles = 10_000;

    /// <summary>Weights in any format: those of this checkpoint are rewritten, and those of others would contradict them.</summary>
    private static readonly HashSet<string> WeightExtensions = new(StringComparer.OrdinalIgnoreCase)
    {
        ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".onnx", ".onnx_data", ".msgpack", ".h5", ".ot", ".npz", ".npy", ".tflite", ".pkl",
    };

    public static List<(string Relative, string Source, long Length)> Find(CheckpointLocation location, string output)
    {
        List<(string, string, long)> files = [];
        if (location.OwnsDirectory)
        {
            Collect(location.Directory, "", Path.TrimEndingDirectorySeparator(Path.GetFullPath(output)), 0, files);
        }

        return files;
    }

    private static void Collect(string root, string relative, string output, int depth, List<(string, string, long)> files)
    {
        DirectoryInfo directory = new(Path.Combine(root, relative));
        try
        {
            foreach (FileSystemInfo entry in directory.EnumerateFileSystemInfos().OrderBy(e => e.Name, StringComparer.Ordinal))
            {
                string path = Path.Combine(relative, entry.Name);
                if (entry.Name.StartsWith('.') || entry.FullName == output)
                {
                    continue;
                }

                if (entry is FileInfo file)
                {
                    if (IsCompanion(path) && File.Exists(file.FullName))
                    {
                        Add(root, path, file, files);
                    }
                }
                else if (depth < MaxDepth && entry.LinkTarget is null)
                {
                    Collect(root, path, output, depth + 1, files);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointFormatException(
                FormatRules.Missing, $"cannot be read ({SafeText.Escape(e.Message)}).", directory.FullName, innerException: e);
        }
    }

    private static bool IsCompanion(string path) =>
        path != CheckpointLocation.ConfigName
        && !WeightExtensions.Contains(Path.GetExtension(path))
        && !path.EndsWith(".index.json", StringComparison.Ordinal);

    private static void Add(string root, string path, FileInfo file, List<(string, string, long)> files)
    {
        if (files.Count == MaxFiles)
        {
            throw new CheckpointFormatException(
                FormatRules.Missing, $"the directory has more than {MaxFiles} files beside the weights; is it a model's?", root);
        }

        if (!SafePath.StaysInside(root, path))
        {
            throw new CheckpointFormatException(
                FormatRules.ShardPath, "is a link to a file outside the checkpoint's directory; copy the file into it, or remove it.", file.FullName);
        }

        long length = file.LinkTarget is null ? file.Length : new FileInfo(file.ResolveLinkTarget(returnFinalTarget: true)!.FullName).Length;
        files.Add((path, file.FullName, length));
    }
}
