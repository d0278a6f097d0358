using System.CommandLine;

using Halfbyte.Checkpoints;
using Halfbyte.Cli.Reports;
using Halfbyte.Cli.Terminal;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Commands;

/// <summary><c>halfbyte inspect PATH</c></summary>
internal sealed class InspectCommand : ToolCommand
{
    private readonly Argument<string> _path = CommonOptions.Input("PATH");

    private readonly Option<int> _depth = new("--depth")
    {
        Description = "Show at most this many levels of modules.",
        HelpName = "N",
        DefaultValueFactory = _ => ModuleTree.DeepestLevel,
    };

    internal InspectCommand(ToolHost host)
        : base(host, "inspect", "Show a checkpoint's modules, shapes, storage and bytes, repeated layers folded. Reads headers only.")
    {
        _depth.Accept(levels => levels >= 1, "a number of at least 1");
        Add(_path);
        Add(_depth);
        AddCommonOptions();
    }

    internal override IReadOnlyList<Example> Examples =>
    [
        new("halfbyte inspect llama-nf4/", "The tree of modules and the totals."),
        new("halfbyte inspect model.safetensors --depth 2", "Only the upper levels."),
        new("halfbyte inspect llama/model.safetensors.index.json --json", "Every tensor, for a program."),
    ];

    protected override int Execute(ParseResult parse, Output terminal, ILogger logger, CancellationToken cancellation)
    {
        InspectionReport report = CheckpointInspector.Inspect(parse.GetRequiredValue(_path), cancellationToken: cancellation);
        terminal.Document(report, ToolJsonContext.Default.InspectionReport);
        if (!terminal.Json)
        {
            InspectionView.Write(terminal, report, parse.GetValue(_depth));
        }

        return ExitCodes.Ok;
    }
}
