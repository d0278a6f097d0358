using System.CommandLine;
using System.Text.Json;

using Halfbyte.Cli.Bench;
using Halfbyte.Cli.Reports;
using Halfbyte.Cli.Terminal;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Commands;

/// <summary><c>halfbyte bench</c></summary>
internal sealed class BenchCommand : ToolCommand
{
    private readonly Option<int> _threads = new("--threads")
    {
        Description = "Threads of our side and of the peer's.",
        HelpName = "N",
        DefaultValueFactory = _ => 2,
    };

    private readonly Option<string> _filter = new("--filter") { Description = "Only rows whose name contains this text, numbers as a whole.", HelpName = "TEXT" };

    private readonly Option<bool> _quick = new("--quick")
    {
        Description = "Small matrices and few repetitions: to see that everything runs, not to measure.",
    };

    private readonly Option<bool> _check = new("--check") { Description = "Exit with 1 if a promised ratio is missed." };

    private readonly Option<string> _output = new("--output")
    {
        Description = "Also write the rows to this file as JSON, with machine, versions and spread.",
        HelpName = "FILE",
    };

    internal BenchCommand(ToolHost host)
        : base(host, "bench", "Measure this machine: every row beside a peer, taken in turns within this run, weights cold. CPU only.")
    {
        _threads.Accept(threads => threads is >= 1 and <= 1024, "a number from 1 to 1024");
        Add(_threads);
        Add(_filter);
        Add(_quick);
        Add(_check);
        Add(_output);
        AddCommonOptions();
    }

    internal override IReadOnlyList<Example> Examples =>
    [
        new("halfbyte bench", "The whole table; about a minute and a half, and 2 GB of memory."),
        new("halfbyte bench --filter M=1 --threads 8", "Only the single-row products, on eight threads."),
        new("halfbyte bench --json --check", "For a script: rows with name, value, unit, against, ratio and must; exit code 1 if one is missed."),
        new("halfbyte bench --output results.json", "Keep the numbers, with the machine they belong to."),
    ];

    protected override int Execute(ParseResult parse, Output terminal, ILogger logger, CancellationToken cancellation)
    {
        string? filter = parse.GetValue(_filter);
        List<BenchCase> cases =
        [
            .. BenchCase.All.Where(one => filter is null || one.Matches(filter)),
        ];
        if (cases.Count == 0)
        {
            throw new UsageException(
                $"no row's name contains '{filter}'. There are: {string.Join("; ", BenchCase.All.Select(one => one.Name))}.");
        }

        if (parse.GetValue(_output) is string planned)
        {
            CheckWritable(planned);
        }

        int threads = parse.GetValue(_threads);
        bool quick = parse.GetValue(_quick);
        using var context = new BenchContext(threads, quick, logger, cancellation);
        MachineInfo machine = MachineInfo.Describe(context.Stream);
        terminal.Line($"{machine.Cpu}; {machine.Stream}; halfbyte {machine.NativeVersion}; N={context.N}, K={context.K}");
        var rows = new List<BenchRow>(cases.Count);
        foreach (BenchCase one in cases)
        {
            cancellation.ThrowIfCancellationRequested();
            terminal.Details($"[{rows.Count + 1}/{cases.Count}] {one.Name}");
            rows.Add(one.Measure(context));
        }

        terminal.Document(rows, ToolJsonContext.Default.IReadOnlyListBenchRow);
        terminal.Table(Draw(rows));
        WritePeers(terminal, rows);
        int missed = rows.Count(row => row.IsMet == false);
        int promised = rows.Count(row => row.IsMet is not null);
        terminal.Verdict(missed == 0, $"{promised - missed} of {promised} promised ratios met.");
        if (quick)
        {
            terminal.Line("A quick run: the numbers mean nothing.");
        }

        if (parse.GetValue(_output) is string file)
        {
            var settings = new BenchSettings(threads, quick, context.N, context.K, filter);
            Save(file, new BenchResults(machine, settings, [.. rows.Select(ToResult)]));
        }

        return missed > 0 && parse.GetValue(_check) ? ExitCodes.BadInput : ExitCodes.Ok;
    }

    internal static Grid Draw(IReadOnlyList<BenchRow> rows)
    {
        var grid = new Grid("what", GridColumn.Right("value"), GridColumn.Right("ratio"), GridColumn.Right("must"));
        foreach (BenchRow row in rows)
        {
            grid.Add(
                row.Name, $"{Format.Number(row.Value)} {row.Unit}", row.Ratio is double ratio ? Format.Number(ratio) : "",
                row.Must is double must ? Format.Number(must) + (row.IsMet == false ? " MISSED" : "") : "");
        }

        return grid;
    }

    // Peers are described in sentences, too long for a column.
    private static void WritePeers(Output terminal, IReadOnlyList<BenchRow> rows)
    {
        terminal.Line();
        terminal.Line("each against:");
        foreach (BenchRow row in rows)
        {
            terminal.Line($"  {row.Name}");
            terminal.Line($"    {row.Against}");
        }

        terminal.Line();
    }

    private static BenchResult ToResult(BenchRow row) => new(
        row.Name, row.Value, row.Unit, row.Against, row.Ratio, row.Must, row.IsMet, row.Timing?.Repetitions, row.Timing?.Best,
        row.Timing?.Median, row.Timing?.PeerBest, row.Timing?.PeerMedian);

    // Minutes of measuring are not thrown away for a directory that is not there.
    private static void CheckWritable(string file)
    {
        string temporary = Temporary(file);
        try
        {
            if (Directory.Exists(file))
            {
                throw new UsageException($"--output: '{file}' is a directory; name a file in it.");
            }

            File.Create(temporary).Dispose();
            File.Delete(temporary);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"--output: '{file}' cannot be written: {exception.Message}");
        }
    }

    private static string Temporary(string file) => file + ".tmp";

    private static void Save(string file, BenchResults results)
    {
        string temporary = Temporary(file);
        try
        {
            File.WriteAllText(temporary, JsonSerializer.Serialize(results, ToolJsonContext.Default.BenchResults) + "\n");
            File.Move(temporary, file, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
