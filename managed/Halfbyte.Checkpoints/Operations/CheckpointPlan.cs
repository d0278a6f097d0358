namespace Halfbyte.Checkpoints;

/// <summary>
/// Tensors that are written together and never split over shards: a tensor, or a quantized weight with its statistics. Python reads
/// the statistics from the shard that has the weight.
/// </summary>
internal sealed class PlannedUnit
{
    public required IReadOnlyList<SafetensorsEntry> Entries { get; init; }

    /// <summary>Texts whose length is only bounded until the unit is written.</summary>
    public IReadOnlyList<SafetensorsEntry> Late { get; init; } = [];

    /// <summary>Writes all entries.</summary>
    public required Action<SafetensorsWriter> Write { get; init; }

    /// <summary>What became of the tensor, if it came from another checkpoint.</summary>
    public ConvertedTensor? Report { get; init; }

    public long ByteLength => Entries.Sum(e => e.ByteLength) + Late.Sum(e => e.ByteLength);
}

/// <summary>Units distributed over files.</summary>
internal sealed class CheckpointPlan
{
    private CheckpointPlan(List<(string File, List<PlannedUnit> Units)> shards) => Shards = shards;

    public List<(string File, List<PlannedUnit> Units)> Shards { get; }

    /// <summary>Bytes of all tensors, at most.</summary>
    public long TotalBytes => Shards.Sum(s => s.Units.Sum(u => u.ByteLength));

    /// <summary>Fills shards in order; a unit larger than a shard gets one of its own. Names are transformers'.</summary>
    public static CheckpointPlan Create(IReadOnlyList<PlannedUnit> units, long maxShardBytes)
    {
        List<List<PlannedUnit>> shards = [[]];
        long size = 0;
        foreach (PlannedUnit unit in units)
        {
            long bytes = unit.ByteLength;
            if (size > 0 && size + bytes > maxShardBytes)
            {
                shards.Add([]);
                size = 0;
            }

            shards[^1].Add(unit);
            size += bytes;
        }

        return new CheckpointPlan([.. shards.Select((s, i) => (FileName(i, shards.Count), s))]);
    }

    private static string FileName(int index, int count) =>
        count == 1 ? CheckpointLocation.SingleName : string.Create(
            System.Globalization.CultureInfo.InvariantCulture, $"model-{index + 1:00000}-of-{count:00000}.safetensors");
}
