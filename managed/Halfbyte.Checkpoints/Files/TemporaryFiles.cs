namespace Halfbyte.Checkpoints;

/// <summary>Names for files and directories on their way, and their removal.</summary>
internal static class TemporaryFiles
{
    public const string Prefix = ".halfbyte-tmp-";

    /// <summary>Where a stage keeps the files that it replaces until all are in place.</summary>
    public const string AsideName = Prefix + "old";

    /// <summary>A name beside <paramref name="path"/>, on the same file system.</summary>
    public static string Beside(string path) =>
        Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, Prefix + Guid.NewGuid().ToString("N")[..12]);

    /// <summary>Deletes a file if it is there; what cannot be deleted stays.</summary>
    public static void TryDeleteFile(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The operation has failed already, with a better reason than this.
        }
    }

    /// <summary>Deletes a directory if it is there and empty.</summary>
    public static void TryDeleteEmptyDirectory(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not empty after all, or not ours: it stays.
        }
    }

    /// <summary>Deletes a directory with all it holds if it is there; what cannot be deleted stays.</summary>
    public static void TryDeleteDirectory(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // As above.
        }
    }
}
