using System.CommandLine;

using Halfbyte.Checkpoints;
using Halfbyte.Cli.Reports;
using Halfbyte.Cli.Terminal;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Commands;

/// <summary><c>halfbyte dequantize IN OUT</c></summary>
internal sealed class DequantizeCommand : ToolCommand
{
    private readonly Argument<string> _input = CommonOptions.Input();
    private readonly Argument<string> _output = CommonOptions.OutputDirectory();

    private readonly Option<string> _dtype = CommonOptions.OneOf(
        "--dtype", "TYPE", "The type of the restored weights. Default: the type each had; for int8 the configuration's, else fp16.",
        "bf16", "fp16", "fp32");

    private readonly Option<string> _device = CommonOptions.DeviceOption();
    private readonly Option<long> _maxShardBytes = CommonOptions.MaxShardBytes();
    private readonly Option<bool> _force = CommonOptions.Force();

    internal DequantizeCommand(ToolHost host)
        : base(host, "dequantize", "Turn a checkpoint with NF4, FP4 or LLM.int8() weights back into one of floating-point weights.")
    {
        Add(_input);
        Add(_output);
        Add(_dtype);
        Add(_device);
        Add(_maxShardBytes);
        Add(_force);
        AddCommonOptions();
    }

    internal override IReadOnlyList<Example> Examples =>
    [
        new("halfbyte dequantize llama-nf4/ llama-again/", "Every weight in the type it had before."),
        new("halfbyte dequantize llama-int8/ llama-fp32/ --dtype fp32 --force", "As float32, replacing what is there."),
    ];

    protected override int Execute(ParseResult parse, Output terminal, ILogger logger, CancellationToken cancellation)
    {
        string from = parse.GetRequiredValue(_input);
        string to = parse.GetRequiredValue(_output);
        var options = new DequantizeOptions
        {
            DType = parse.GetValue(_dtype) switch
            {
                "bf16" => DType.BFloat16,
                "fp16" => DType.Float16,
                "fp32" => DType.Float32,
                _ => null,
            },
            MaxShardBytes = parse.GetValue(_maxShardBytes),
            Force = parse.GetValue(_force),
            Device = CommonOptions.ResolveDevice(parse.GetRequiredValue(_device), logger),
        };
        CommonOptions.CheckOutput(from, to, options.Force);

        ConversionReport report = terminal.WithProgress(
            "dequantize",
            display => CheckpointDequantizer.Dequantize(from, to, options, CommonOptions.Adapt(display, logger), cancellation));
        long peak = ProcessMemory.PeakResidentBytes;
        terminal.Document(ConversionView.ToJson(report, peak));
        ConversionView.Write(terminal, report, peak);
        return ExitCodes.Ok;
    }
}
