using System.CommandLine;

using Halfbyte.Checkpoints;
using Halfbyte.Cli.Reports;
using Halfbyte.Cli.Terminal;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Commands;

/// <summary><c>halfbyte verify PATH</c></summary>
internal sealed class VerifyCommand : ToolCommand
{
    private readonly Argument<string> _path = CommonOptions.Input("PATH");
    private readonly Option<bool> _headersOnly = new("--headers-only") { Description = "Check structure and quant_state only; do not read the numbers." };

    internal VerifyCommand(ToolHost host)
        : base(host, "verify", "Check a checkpoint against every rule of its formats, and the numbers in it. Safe on files from anywhere.")
    {
        Add(_path);
        Add(_headersOnly);
        AddCommonOptions();
    }

    internal override IReadOnlyList<Example> Examples =>
    [
        new("halfbyte verify llama-nf4/", "Exit code 1 and a list of findings if something is wrong."),
        new("halfbyte verify download.safetensors --headers-only --json", "The quick part, for a program."),
    ];

    protected override int Execute(ParseResult parse, Output terminal, ILogger logger, CancellationToken cancellation)
    {
        string checkpoint = parse.GetRequiredValue(_path);
        var options = new VerifyOptions { ReadData = !parse.GetValue(_headersOnly) };
        VerificationReport report = terminal.WithProgress(
            "verify",
            display => CheckpointVerifier.Verify(checkpoint, options, CommonOptions.Adapt(display, logger), cancellation));

        terminal.Document(report, ToolJsonContext.Default.VerificationReport);
        Write(terminal, report);
        if (!report.Passed)
        {
            // The findings are on standard output, in full.
            string[] broken = [.. report.Findings.Where(finding => finding.Severity == FindingSeverity.Error).Select(finding => finding.Rule).Distinct()];
            terminal.Error($"'{checkpoint}' breaks the {(broken.Length == 1 ? "rule" : "rules")} {string.Join(", ", broken.Select(rule => $"'{rule}'"))}.");
        }

        return report.Passed ? ExitCodes.Ok : ExitCodes.BadInput;
    }

    private static void Write(Output terminal, VerificationReport report)
    {
        if (report.Findings.Count > 0)
        {
            // The sentence names file and tensor.
            foreach (VerificationFinding finding in report.Findings)
            {
                string severity = finding.Severity == FindingSeverity.Error ? "error" : "warning";
                terminal.Line($"{severity}: {finding.Rule}: {finding.Message}");
            }

            if (report.FindingsOmitted > 0)
            {
                terminal.Line($"and {Format.Count(report.FindingsOmitted)} more.");
            }
        }

        string what = $"{Format.Counted(report.Tensors, "tensor")}, {Format.Counted(report.QuantizedWeights, "quantized weight")}, "
                      + $"{Format.Bytes(report.BytesRead)} read";
        terminal.Verdict(report.Passed, (report.Passed ? "passed: " : "failed: ") + what);
    }
}
