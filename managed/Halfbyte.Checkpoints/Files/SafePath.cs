namespace Halfbyte.Checkpoints;

/// <summary>Keeps names out of files from reaching outside the checkpoint's directory.</summary>
internal static class SafePath
{
    /// <summary>
    /// Why a name must not be used as a file of the directory, or null if it may: it must be one plain component on every operating
    /// system, so no separators of either kind, no drive, no stream, no parent, no control characters.
    /// </summary>
    public static string? Objection(string name) =>
        name.Length == 0 ? "is empty"
        : name.Length > 255 ? "is longer than 255 characters"
        : name is "." or ".." ? "is a directory"
        : name.AsSpan().IndexOfAny('/', '\\') >= 0 ? "contains a path separator"
        : name.Contains(':', StringComparison.Ordinal) ? "contains a colon"
        : name.Any(char.IsControl) ? "contains a control character"
        : name[^1] is ' ' or '.' ? "ends in a space or dot"
        : null;

    /// <summary>
    /// Whether a file of <paramref name="directory"/> really lies in it. A symbolic link may lead within the directory, or, in a
    /// Hugging Face cache (<c>models--x/snapshots/revision</c>), to the <c>blobs</c> folder beside <c>snapshots</c>.
    /// </summary>
    public static bool StaysInside(string directory, string name)
    {
        string root = Resolve(directory, isDirectory: true);
        string file = System.IO.Path.Combine(root, name);
        string target = Resolve(file, isDirectory: false);
        if (target == file || IsBelow(target, root))
        {
            return true;
        }

        string? snapshots = System.IO.Path.GetDirectoryName(root);
        string? repository = snapshots is null ? null : System.IO.Path.GetDirectoryName(snapshots);
        return repository is not null
            && System.IO.Path.GetFileName(snapshots) == "snapshots"
            && IsBelow(target, System.IO.Path.Combine(repository, "blobs"));
    }

    private static string Resolve(string path, bool isDirectory)
    {
        string full = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        try
        {
            FileSystemInfo? target = isDirectory
                ? Directory.ResolveLinkTarget(full, returnFinalTarget: true)
                : File.ResolveLinkTarget(full, returnFinalTarget: true);
            return target is null ? full : System.IO.Path.TrimEndingDirectorySeparator(target.FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointFormatException(
                FormatRules.ShardPath, $"its link cannot be followed ({SafeText.Escape(e.Message)}).", path, innerException: e);
        }
    }

    private static bool IsBelow(string path, string root) =>
        path.StartsWith(root + System.IO.Path.DirectorySeparatorChar, StringComparison.Ordinal);
}
