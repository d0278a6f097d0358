using System.CommandLine;

using Halfbyte.Checkpoints;
using Halfbyte.Cli.Reports;
using Halfbyte.Cli.Terminal;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Commands;

/// <summary><c>halfbyte compare ORIGINAL QUANTIZED</c></summary>
internal sealed class CompareCommand : ToolCommand
{
    private readonly Argument<string> _original = CommonOptions.Input("ORIGINAL", "The reference");
    private readonly Argument<string> _quantized = CommonOptions.Input("QUANTIZED", "What is measured against it");
    private readonly Option<string> _device = CommonOptions.DeviceOption();

    internal CompareCommand(ToolHost host)
        : base(host, "compare", "Measure how far the weights of one checkpoint are from those of another, layer kind by layer kind.")
    {
        Add(_original);
        Add(_quantized);
        Add(_device);
        AddCommonOptions();
    }

    internal override IReadOnlyList<Example> Examples =>
    [
        new("halfbyte compare llama/ llama-nf4/", "Relative errors by kind of layer, and the ten worst weights."),
        new("halfbyte compare llama/ llama-int8/ --json", "Every weight, for a program."),
    ];

    protected override int Execute(ParseResult parse, Output terminal, ILogger logger, CancellationToken cancellation)
    {
        string reference = parse.GetRequiredValue(_original);
        string other = parse.GetRequiredValue(_quantized);
        var options = new CompareOptions { Device = CommonOptions.ResolveDevice(parse.GetRequiredValue(_device), logger) };
        ComparisonReport report = terminal.WithProgress(
            "compare",
            display => CheckpointComparer.Compare(reference, other, options, CommonOptions.Adapt(display, logger), cancellation));

        terminal.Document(report, ToolJsonContext.Default.ComparisonReport);
        ComparisonView.Write(terminal, report);
        return ExitCodes.Ok;
    }
}
