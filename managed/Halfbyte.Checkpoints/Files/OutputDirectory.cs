namespace Halfbyte.Checkpoints;

/// <summary>
/// A directory that is either completely written or left as it was. Everything goes into a stage, beside it if it does not exist
/// yet, else inside it, and is moved to its place at the end; without <see cref="Commit"/> the stage is removed. What a process that was
/// killed left behind is removed by the next that writes to the same place.
/// </summary>
internal sealed class OutputDirectory : IDisposable
{
    private readonly string _target;
    private readonly IStorage _storage;
    private readonly bool _exists;
    private readonly List<string> _createdParents;
    private StageLock? _lock;
    private bool _committed;

    private OutputDirectory(string target, string stage, IStorage storage, bool exists, List<string> createdParents)
    {
        _target = target;
        Stage = stage;
        _storage = storage;
        _exists = exists;
        _createdParents = createdParents;
    }

    /// <summary>Where to write.</summary>
    public string Stage { get; }

    /// <summary>Checks that <paramref name="path"/> may be written and has room, and creates the stage.</summary>
    /// <param name="path">The directory asked for.</param>
    /// <param name="inputDirectory">The input's directory, which must be another; null if there is none.</param>
    /// <param name="force">Whether a checkpoint there is replaced.</param>
    /// <param name="bytesNeeded">What will be written.</param>
    /// <param name="storage">The file system.</param>
    public static OutputDirectory Create(string path, string? inputDirectory, bool force, long bytesNeeded, IStorage storage)
    {
        string target = FullPath(path);
        CheckPlace(path, inputDirectory, force);
        bool exists = Directory.Exists(target);
        string parent = exists ? target : Path.GetDirectoryName(target) ?? target;
        List<string> createdParents = Missing(parent);
        OutputDirectory output = new(target, StageLock.NewStage(parent, target), storage, exists, createdParents);
        try
        {
            Directory.CreateDirectory(parent);
            StageLock.RemoveLeftovers(parent, target);
            if (exists && Path.GetDirectoryName(target) is { } beside)
            {
                StageLock.RemoveLeftovers(beside, target); // of a time when it did not exist
            }

            CheckRoom(parent, path, bytesNeeded, storage);
            output._lock = StageLock.Take(output.Stage);
            Directory.CreateDirectory(output.Stage);

            // Links can make one directory of two paths; the stage shows it.
            if (exists && inputDirectory is not null && Directory.Exists(Path.Combine(inputDirectory, Path.GetFileName(output.Stage))))
            {
                throw IsInput(path);
            }

            return output;
        }
        catch (Exception e) when (e is UnauthorizedAccessException or (IOException and not CheckpointOutputException))
        {
            output.Dispose();
            throw new CheckpointOutputException(
                $"the output {SafeText.Quote(path)} cannot be created ({SafeText.Escape(e.Message)}); choose a place that can be written.", e);
        }
        catch
        {
            output.Dispose();
            throw;
        }
    }

    /// <summary>Checks everything that can be checked before any work is done; <see cref="Create"/> does it again.</summary>
    public static void CheckPlace(string path, string? inputDirectory, bool force)
    {
        string target = FullPath(path);
        if (inputDirectory is not null && string.Equals(target, FullPath(inputDirectory), StringComparison.Ordinal))
        {
            throw IsInput(path);
        }

        if (File.Exists(target))
        {
            throw new CheckpointOutputException($"the output {SafeText.Quote(path)} is a file; choose a directory.");
        }

        try
        {
            if (!force && Directory.Exists(target) && CheckpointFiles(target) is [var first, ..])
            {
                throw new CheckpointOutputException(
                    $"the output {SafeText.Quote(path)} already holds a checkpoint ({SafeText.Quote(first)}); choose another directory or force its replacement.");
            }
        }
        catch (Exception e) when (e is UnauthorizedAccessException or (IOException and not CheckpointOutputException))
        {
            throw new CheckpointOutputException(
                $"the output {SafeText.Quote(path)} cannot be read ({SafeText.Escape(e.Message)}); choose another directory.", e);
        }
    }

    /// <summary>Moves everything to its place.</summary>
    public void Commit()
    {
        try
        {
            if (_exists)
            {
                MoveFiles();
            }
            else
            {
                _storage.Move(Stage, _target);
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
        if (_committed)
        {
            _lock?.Dispose();
            return;
        }

        TemporaryFiles.TryDeleteDirectory(Stage);
        _lock?.Dispose();
        foreach (string parent in _createdParents)
        {
            TemporaryFiles.TryDeleteEmptyDirectory(parent);
        }
    }

    private static string FullPath(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));

    private static CheckpointOutputException IsInput(string path) =>
        new($"the output {SafeText.Quote(path)} is the input's own directory; choose another.");

    /// <summary>The directories that do not exist yet, innermost first.</summary>
    private static List<string> Missing(string directory)
    {
        List<string> missing = [];
        for (string? at = directory; at is not null && !Directory.Exists(at); at = Path.GetDirectoryName(at))
        {
            missing.Add(at);
        }

        return missing;
    }

    /// <summary>The names of a checkpoint's files in a directory, whatever their number of shards.</summary>
    private static List<string> CheckpointFiles(string directory) =>
        [.. Directory.EnumerateFiles(directory)
            .Select(f => Path.GetFileName(f))
            .Where(n => n is CheckpointLocation.SingleName or CheckpointLocation.IndexName
                || (n.StartsWith("model-", StringComparison.Ordinal) && n.EndsWith(".safetensors", StringComparison.Ordinal))
                || n.StartsWith("pytorch_model", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)];

    private static void CheckRoom(string parent, string path, long bytesNeeded, IStorage storage)
    {
        if (storage.FreeBytes(parent) is { } free && free < bytesNeeded)
        {
            throw new CheckpointOutputException(
                $"the output {SafeText.Quote(path)} needs {bytesNeeded:N0} bytes with headers and what the file system keeps, {free:N0} are free there; free some space or choose another disk.");
        }
    }

    /// <summary>Old files go aside first, so that every step can be undone.</summary>
    private void MoveFiles()
    {
        string aside = Path.Combine(Stage, TemporaryFiles.AsideName);
        List<string> files = [.. Directory.EnumerateFiles(Stage, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Stage, f))
            .Order(StringComparer.Ordinal)];
        List<(string From, string To)> moved = [];
        List<string> created = [];
        try
        {
            foreach (string old in CheckpointFiles(_target).Union(files.Where(f => File.Exists(Path.Combine(_target, f)))))
            {
                MoveOne(Path.Combine(_target, old), Path.Combine(aside, old), moved, created);
            }

            foreach (string file in files)
            {
                MoveOne(Path.Combine(Stage, file), Path.Combine(_target, file), moved, created);
            }
        }
        catch
        {
            for (int i = moved.Count - 1; i >= 0; i--)
            {
                File.Move(moved[i].To, moved[i].From);
            }

            created.ForEach(TemporaryFiles.TryDeleteEmptyDirectory);
            throw;
        }

        TemporaryFiles.TryDeleteDirectory(Stage);
    }

    private void MoveOne(string from, string to, List<(string From, string To)> moved, List<string> created)
    {
        string directory = Path.GetDirectoryName(to)!;
        created.InsertRange(0, Missing(directory));
        Directory.CreateDirectory(directory);
        _storage.Move(from, to);
        moved.Add((from, to));
    }
}
