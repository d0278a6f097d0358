using System.CommandLine;

using Halfbyte.Cli.Demo;
using Halfbyte.Cli.Reports;
using Halfbyte.Cli.Terminal;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Commands;

/// <summary><c>halfbyte demo</c></summary>
internal sealed class DemoCommand : ToolCommand
{
    private readonly Option<string> _directory = new("--dir")
    {
        Description = "Where to write, and keep, the checkpoints (1.5 GB for two layers): a new or empty directory. Default: a temporary directory, removed at the end.",
        HelpName = "DIR",
    };

    private readonly Option<int> _layers = new("--layers")
    {
        Description = "How many of the model's 48 layers.",
        HelpName = "N",
        DefaultValueFactory = _ => 2,
    };

    internal DemoCommand(ToolHost host)
        : base(
            host, "demo",
            "Make up a checkpoint with InternLM3-8B's names and shapes, quantize it to NF4 and LLM.int8(), verify, reload and multiply.")
    {
        _layers.Accept(layers => layers is >= 1 and <= 48, "a number from 1 to 48");
        Add(_directory);
        Add(_layers);
        AddCommonOptions();
    }

    internal override IReadOnlyList<Example> Examples =>
    [
        new("halfbyte demo", "About a minute; exit code 1 if memory or an error exceeds its bound."),
        new("halfbyte demo --dir /tmp/demo --layers 1", "Keep the checkpoints, to look at them with inspect, verify and compare."),
    ];

    protected override int Execute(ParseResult parse, Output terminal, ILogger logger, CancellationToken cancellation)
    {
        string? kept = parse.GetValue(_directory);
        if (File.Exists(kept) || (Directory.Exists(kept) && Directory.EnumerateFileSystemEntries(kept).Any()))
        {
            throw new UsageException($"'{kept}' is not an empty directory; name another for --dir, or remove it first.");
        }

        string directory = kept ?? Directory.CreateTempSubdirectory("halfbyte-demo-").FullName;
        try
        {
            var model = new DemoModel(parse.GetValue(_layers));
            DemoReport report = new DemoRun(terminal, logger, model, directory, cancellation).Run();
            terminal.Document(report, ToolJsonContext.Default.DemoReport);
            DemoView.Write(terminal, report);
            return report.Passed ? ExitCodes.Ok : ExitCodes.BadInput;
        }
        finally
        {
            if (kept is null)
            {
                Directory.Delete(directory, recursive: true);
            }
        }
    }
}
