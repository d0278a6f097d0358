using Halfbyte.Cli.Bench.Cases;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Bench;

/// <summary>Something to measure. The name is known before it runs, so that a filter can choose.</summary>
internal sealed record BenchCase(string Name, Func<BenchContext, BenchRow> Measure)
{
    /// <summary>All cases, in the order of the table.</summary>
    internal static IReadOnlyList<BenchCase> All { get; } =
    [
        .. ConversionCases.All, .. FourBitProductCases.All, .. Int8ProductCases.All, .. CallCases.All,
    ];

    /// <summary>A row whose two sides moved the same bytes or did the same arithmetic: the ratio is that of their times.</summary>
    internal static BenchRow Row(string name, Timing timing, double amount, string unit, string peer, double? must)
    {
        double scale = unit switch
        {
            "GB/s" or "GFLOP/s" => 1e-9,
            _ => 1,
        };
        double value = amount * scale / timing.Best;
        double peerValue = amount * scale / timing.PeerBest;
        return new BenchRow(
            name, value, unit, Format.Text($"{peer}: {Format.Number(peerValue)} {unit}"), timing.PeerBest / timing.Best, must)
        {
            Timing = timing,
        };
    }
}
