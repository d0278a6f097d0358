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

    /// <summary>Whether the name contains the text, and not only the beginning or end of a number: "M=1" is not in "M=16".</summary>
    internal bool Matches(string text)
    {
        for (int at = Find(0); at >= 0; at = Find(at + 1))
        {
            int end = at + text.Length;
            if (!IsInNumber(at) && !IsInNumber(end))
            {
                return true;
            }
        }

        return false;

        int Find(int start) => Name.IndexOf(text, start, StringComparison.OrdinalIgnoreCase);

        bool IsInNumber(int border) =>
            border > 0 && border < Name.Length && char.IsAsciiDigit(Name[border - 1]) && char.IsAsciiDigit(Name[border]);
    }

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
