namespace Halfbyte.Checkpoints;

/// <summary>
/// A directory that is either completely written or left as it was. Everything goes into a stage beside it (or inside it, if it
/// exists and is not empty) and is moved to its place at the end; without <see cref="Commit"/> the stage is removed.
/// </summary>
internal sealed class OutputDirectory : IDisposable
{
    private readonly string _target;
    private readonly IStorage _storage;
    private readonly bool _moveWhole;
    private readonly List<string> _replaced;
    private bool _committed;

    private OutputDirectory(string target, string stage, IStorage storage, bool moveWhole, List<string> replaced)
    {
        _target = target;
        Stage = stage;
        _storage = storage;
        _moveWhole = moveWhole;
        _replaced = replaced;
    }

    /// <summary>Where to write.</summary>
    public string Stage { get; }

    /// <summary>Checks that <paramref name="path"/> may be written and has room, and creates the stage.</summary>
    /// <param name="path">The directory asked for.</param>
    /// <param name="inputDirectory">The input's directory, which must be another.</param>
    /// <param name="force">Whether a checkpoint there is replaced.</param>
    /// <param name="bytesNeeded">What will be written.</param>
    /// <param name="storage">The file system.</param>
    public static OutputDirectory Create(string path, string inputDirectory, bool force, long bytesNeeded, IStorage storage)
    {
        string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        CheckPlace(path, target, inputDirectory, force);
        bool occupied = Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any();
        string parent = occupied ? target : Path.GetDirectoryName(target) ?? target;
        try
        {
            Directory.CreateDirectory(parent);
            CheckRoom(parent, path, bytesNeeded, storage);
            string stage = Path.Combine(parent, TemporaryFiles.Prefix + Guid.NewGuid().ToString("N")[..12]);
            Directory.CreateDirectory(stage);
            return new OutputDirectory(target, stage, storage, !occupied, occupied ? CheckpointFiles(target) : []);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or (IOException and not CheckpointOutputException))
        {
            throw new CheckpointOutputException(
                $"the output {SafeText.Quote(path)} cannot be created ({SafeText.Escape(e.Message)}); choose a place that can be written.", e);
        }
    }

    /// <summary>Checks everything that can be checked before any work is done; <see cref="Create"/> does it again.</summary>
    public static void CheckPlace(string path, string target, string inputDirectory, bool force)
    {
        string input = Path.TrimEndingDirectorySeparator(Path.GetFullPath(inputDirectory));
        if (string.Equals(target, input, StringComparison.Ordinal))
        {
            throw new CheckpointOutputException($"the output {SafeText.Quote(path)} is the input's own directory; choose another.");
        }

        if (File.Exists(target))
        {
            throw new CheckpointOutputException($"the output {SafeText.Quote(path)} is a file; choose a directory.");
        }

        if (!force && Directory.Exists(target) && CheckpointFiles(target) is [var first, ..])
        {
            throw new CheckpointOutputException(
                $"the output {SafeText.Quote(path)} already holds a checkpoint ({SafeText.Quote(Path.GetFileName(first))}); choose another directory or force its replacement.");
        }
    }

    /// <summary>Moves everything to its place.</summary>
    public void Commit()
    {
        try
        {
            if (_moveWhole)
            {
                if (Directory.Exists(_target))
                {
                    Directory.Delete(_target);
                }

                _storage.Move(Stage, _target);
            }
            else
            {
                MoveFiles();
            }

            _committed = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointOutputException(
                $"the finished files could not be moved to {SafeText.Quote(_target)} ({SafeText.Escape(e.Message)}); it is as it was.", e);
        }
    }

    public void Dispose()
    {
        if (!_committed)
        {
            TemporaryFiles.TryDeleteDirectory(Stage);
        }
    }

    /// <summary>The files of a checkpoint in a directory, whatever their number of shards.</summary>
    private static List<string> CheckpointFiles(string directory) =>
        [.. Directory.EnumerateFiles(directory)
            .Where(f => Path.GetFileName(f) is var name
                && (name is CheckpointLocation.SingleName or CheckpointLocation.IndexName
                    || (name.StartsWith("model-", StringComparison.Ordinal) && name.EndsWith(".safetensors", StringComparison.Ordinal))
                    || name.StartsWith("pytorch_model", StringComparison.Ordinal)))
            .Order(StringComparer.Ordinal)];

    private static void CheckRoom(string parent, string path, long bytesNeeded, IStorage storage)
    {
        if (storage.FreeBytes(parent) is { } free && free < bytesNeeded)
        {
            throw new CheckpointOutputException(
                $"the output {SafeText.Quote(path)} needs {bytesNeeded:N0} bytes, {free:N0} are free there; free some space or choose another disk.");
        }
    }

    /// <summary>Old files go aside first, so that every step can be undone.</summary>
    private void MoveFiles()
    {
        string aside = Path.Combine(Stage, TemporaryFiles.Prefix + "old");
        Directory.CreateDirectory(aside);
        List<string> files = [.. Directory.EnumerateFiles(Stage, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Stage, f))
            .Order(StringComparer.Ordinal)];
        List<(string From, string To)> done = [];
        try
        {
            foreach (string old in _replaced.Select(f => Path.GetFileName(f)).Union(files.Where(f => File.Exists(Path.Combine(_target, f)))))
            {
                MoveOne(Path.Combine(_target, old), Path.Combine(aside, old), done);
            }

            foreach (string file in files)
            {
                MoveOne(Path.Combine(Stage, file), Path.Combine(_target, file), done);
            }
        }
        catch
        {
            for (int i = done.Count - 1; i >= 0; i--)
            {
                File.Move(done[i].To, done[i].From);
            }

            throw;
        }

        TemporaryFiles.TryDeleteDirectory(Stage);
    }

    private void MoveOne(string from, string to, List<(string From, string To)> done)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        _storage.Move(from, to);
        done.Add((from, to));
    }
}
