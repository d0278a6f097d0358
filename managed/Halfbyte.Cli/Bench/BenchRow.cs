using System.Text.Json.Serialization;

namespace Halfbyte.Cli.Bench;

/// <summary>One measurement beside its peer, both taken in turns within this run.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Value">The measurement: a rate, or a cost.</param>
/// <param name="Unit">The unit of <paramref name="Value"/>.</param>
/// <param name="Against">The peer, and its own number.</param>
/// <param name="Ratio">How many times as good as the peer: higher is better, whatever the unit.</param>
/// <param name="Must">The least <paramref name="Ratio"/> this project promises, or null.</param>
internal sealed record BenchRow(string Name, double Value, string Unit, string Against, double? Ratio, double? Must)
{
    /// <summary>Whether the promise is kept; null where there is none.</summary>
    [JsonIgnore]
    public bool? IsMet => Must is null ? null : Ratio >= Must;

    /// <summary>How often both sides were measured, and how far apart best and median lie.</summary>
    [JsonIgnore]
    public Timing? Timing { get; init; }
}

/// <summary>What <c>--output</c> writes: the rows, with what one must know to read them.</summary>
internal sealed record BenchResults(MachineInfo Machine, BenchSettings Settings, IReadOnlyList<BenchResult> Results);

/// <summary>A row, with the spread of its measurements.</summary>
internal sealed record BenchResult(
    string Name, double Value, string Unit, string Against, double? Ratio, double? Must, bool? Met, int? Repetitions,
    double? BestSeconds, double? MedianSeconds, double? PeerBestSeconds, double? PeerMedianSeconds);

/// <summary>How a run was done.</summary>
internal sealed record BenchSettings(int Threads, bool Quick, long N, long K, string? Filter);
