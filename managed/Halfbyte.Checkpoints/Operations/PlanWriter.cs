namespace Halfbyte.Checkpoints;

/// <summary>
/// Writes a planned checkpoint: shards, index, config.json and companion files. Nothing appears in the output directory before
/// everything is written.
/// </summary>
internal sealed class PlanWriter
{
    private const int CopyChunk = 4 << 20;

    /// <summary>What a file takes at most beyond its bytes: a block that is not full, and the file system's entry for it.</summary>
    private const long BytesPerFile = 8 << 10;

    /// <summary>What a tensor takes in a header and in the index besides its name: its type, shape and place, and its shard.</summary>
    private const long BytesPerName = 256;

    private readonly string _output;
    private readonly bool _force;
    private readonly IStorage _storage;
    private readonly CancellationToken _cancellationToken;

    public PlanWriter(string output, bool force, IStorage storage, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(output);
        _output = output;
        _force = force;
        _storage = storage;
        _cancellationToken = cancellationToken;
    }

    /// <summary>The checkpoint the plan was made from, whose metadata and companion files go along; null if there is none.</summary>
    public CheckpointReader? Input { get; init; }

    /// <summary>Refuses an impossible output before any work is done.</summary>
    public void CheckPlace() => OutputDirectory.CheckPlace(_output, Input?.Location.Directory, _force);

    /// <summary>Writes everything.</summary>
    /// <param name="plan">The tensors.</param>
    /// <param name="config">The text of config.json, or null for none.</param>
    public void Write(CheckpointPlan plan, byte[]? config)
    {
        List<(string Relative, string Source, long Length)> companions = Input is null ? [] : CompanionFiles.Find(Input.Location, _output);
        long needed = plan.TotalBytes + companions.Sum(c => c.Length) + Overhead(plan, companions.Count) + (config?.Length ?? 0);
        using OutputDirectory directory = OutputDirectory.Create(_output, Input?.Location.Directory, _force, needed, _storage);
        try
        {
            long total = 0;
            foreach ((string file, List<PlannedUnit> units) in plan.Shards)
            {
                total += WriteShard(Path.Combine(directory.Stage, file), units);
            }

            if (plan.Shards.Count > 1)
            {
                WriteBytes(Path.Combine(directory.Stage, CheckpointLocation.IndexName), Index(plan, total));
            }

            if (config is not null)
            {
                WriteBytes(Path.Combine(directory.Stage, CheckpointLocation.ConfigName), config);
            }

            foreach ((string relative, string source, long length) in companions)
            {
                Copy(source, Path.Combine(directory.Stage, relative), length);
            }

            _cancellationToken.ThrowIfCancellationRequested();
            directory.Commit();
        }
        catch (Exception e) when (e is UnauthorizedAccessException or (IOException and not CheckpointOutputException))
        {
            string reason = IsDiskFull(e) ? "the disk is full" : SafeText.Escape(e.Message);
            throw new CheckpointOutputException(
                $"writing to {SafeText.Quote(_output)} failed: {reason}. Nothing was left behind; free some space or choose another place, and run again.",
                e);
        }
    }

    /// <summary>Room beyond tensors and companion files: headers, index, the file system's own books. Names may double by being escaped.</summary>
    private long Overhead(CheckpointPlan plan, int companions)
    {
        long metadata = Input?.Files.Sum(file => file.Metadata.Sum(pair => 2L * (pair.Key.Length + pair.Value.Length))) ?? 0;
        long names = plan.Shards.Sum(shard => shard.Units.Sum(
            unit => unit.Entries.Concat(unit.Late).Sum(entry => BytesPerName + (4L * entry.Name.Length))));
        long files = plan.Shards.Count + companions + 2; // config.json and the index
        return (files * BytesPerFile) + names + (plan.Shards.Count * metadata);
    }

    /// <summary>ENOSPC on Unix; ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL on Windows.</summary>
    private static bool IsDiskFull(Exception e) => (e.HResult & 0xFFFF) is 28 or 39 or 112;

    private static byte[] Index(CheckpointPlan plan, long total) => ShardIndex.Write(
        plan.Shards.SelectMany(s => s.Units.SelectMany(u => u.Entries.Concat(u.Late).Select(e => KeyValuePair.Create(e.Name, s.File)))), total);

    private long WriteShard(string path, List<PlannedUnit> units)
    {
        Dictionary<string, string> metadata = new(StringComparer.Ordinal) { ["format"] = "pt" };
        foreach (SafetensorsFile file in Input?.Files ?? [])
        {
            foreach ((string key, string value) in file.Metadata)
            {
                if (key != "format")
                {
                    metadata.TryAdd(key, value);
                }
            }
        }

        using SafetensorsWriter writer = SafetensorsWriter.Create(
            path, [.. units.SelectMany(u => u.Entries)], metadata, _storage, [.. units.SelectMany(u => u.Late)]);
        foreach (PlannedUnit unit in units)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            unit.Write(writer);
        }

        writer.Complete();
        return writer.DataBytes;
    }

    private void WriteBytes(string path, byte[] bytes)
    {
        using IOutputFile file = _storage.Create(path, bytes.Length);
        file.Write(0, bytes);
        file.Flush();
    }

    private void Copy(string source, string destination, long length)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(destination)!);
        using var input = SafetensorsFile.OpenHandle(source);
        using IOutputFile output = _storage.Create(destination, length);
        byte[] chunk = new byte[Math.Min(length, CopyChunk)];
        for (long done = 0; done < length; done += chunk.Length)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            Span<byte> part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, length - done));
            SafetensorsFile.ReadExactly(input, source, part, done, null);
            output.Write(done, part);
        }
    }
}
