using System.CommandLine;

using Halfbyte.Checkpoints;
using Halfbyte.Cli.Reports;
using Halfbyte.Cli.Terminal;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Commands;

/// <summary><c>halfbyte quantize IN OUT --format nf4|fp4|int8</c></summary>
internal sealed class QuantizeCommand : ToolCommand
{
    private static readonly int[] BlockSizes = [32, 64, 128, 256, 512, 1024, 2048, 4096];

    private readonly Argument<string> _input = CommonOptions.Input();
    private readonly Argument<string> _output = CommonOptions.OutputDirectory();

    private readonly Option<string> _format = CommonOptions.OneOf(
        "--format", "FORMAT", "nf4 and fp4: 4 bits with a statistic per block. int8: 8 bits with a scale per row, LLM.int8().", "nf4", "fp4", "int8");

    private readonly Option<int> _blockSize = new("--block-size")
    {
        Description = "Elements per 4-bit statistic: 32, 64, 128, 256, 512, 1024, 2048 or 4096.",
        HelpName = "N",
        DefaultValueFactory = _ => 64,
    };

    private readonly Option<bool> _doubleQuantize = new("--double-quant")
    {
        Description = "Store the 4-bit statistics themselves in 8 bits: 4.13 instead of 4.5 bits per weight at block size 64.",
    };

    private readonly Option<string[]> _skip = new("--skip")
    {
        Description = "Keep this module as it is; repeatable. A leaf name, a full name or a dotted part of one. "
                      + "Replaces the default, which is the output embedding: name lm_head again.",
        HelpName = "NAME",
    };

    private readonly Option<float> _threshold = new("--threshold")
    {
        Description = "The outlier threshold of LLM.int8() to write into the configuration. The weights do not depend on it.",
        HelpName = "T",
        DefaultValueFactory = _ => 6.0f,
    };

    private readonly Option<string> _device = CommonOptions.DeviceOption();
    private readonly Option<long> _maxShardBytes = CommonOptions.MaxShardBytes();
    private readonly Option<bool> _force = CommonOptions.Force();
    private readonly Option<bool> _dryRun = new("--dry-run") { Description = "Decide and report everything, write nothing." };

    internal QuantizeCommand(ToolHost host)
        : base(host, "quantize", "Turn a checkpoint's linear weights into NF4, FP4 or LLM.int8(), as bitsandbytes stores them.")
    {
        _format.Required = true;
        _blockSize.Accept(size => BlockSizes.Contains(size), string.Join(", ", BlockSizes[..^1]) + $" or {BlockSizes[^1]}");
        _skip.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(token => token.Value.Contains(',')) is { } list)
            {
                result.AddError($"--skip takes one name and may be repeated: {string.Join(' ', list.Value.Split(',').Select(name => $"--skip {name.Trim()}"))}.");
            }
        });
        _threshold.Accept(value => value is >= 0 and < float.PositiveInfinity, "a finite number of at least 0");
        Add(_input);
        Add(_output);
        Add(_format);
        Add(_blockSize);
        Add(_doubleQuantize);
        Add(_skip);
        Add(_threshold);
        Add(_device);
        Add(_maxShardBytes);
        Add(_force);
        Add(_dryRun);
        AddCommonOptions();
    }

    internal override IReadOnlyList<Example> Examples =>
    [
        new("halfbyte quantize llama/ llama-nf4/ --format nf4 --double-quant", "4.13 bits per weight; Python's transformers loads the result."),
        new("halfbyte quantize llama/ llama-int8/ --format int8 --skip lm_head --skip out_proj", "LLM.int8(), but keep two kinds of modules."),
        new("halfbyte quantize model.safetensors small/ --format fp4 --block-size 128 --dry-run", "Say what would become of each weight."),
    ];

    protected override int Execute(ParseResult parse, Output terminal, ILogger logger, CancellationToken cancellation)
    {
        QuantizeOptions options = ReadOptions(parse, logger);
        string from = parse.GetRequiredValue(_input);
        string to = parse.GetRequiredValue(_output);
        CommonOptions.CheckOutput(from, to, options.Force); // of a dry run, too: it says what would happen

        ConversionReport report = terminal.WithProgress(
            "quantize",
            display => CheckpointQuantizer.Quantize(from, to, options, CommonOptions.Adapt(display, logger), cancellation));
        long peak = ProcessMemory.PeakResidentBytes;

        terminal.Document(ConversionView.ToJson(report, peak));
        ConversionView.Write(terminal, report, peak);
        return ExitCodes.Ok;
    }

    private QuantizeOptions ReadOptions(ParseResult parse, ILogger logger)
    {
        WeightScheme scheme = parse.GetRequiredValue(_format) switch
        {
            "nf4" => WeightScheme.Nf4,
            "fp4" => WeightScheme.Fp4,
            _ => WeightScheme.Int8,
        };
        if (scheme == WeightScheme.Int8 && (parse.IsGiven(_blockSize) || parse.GetValue(_doubleQuantize)))
        {
            throw new UsageException("--block-size and --double-quant belong to nf4 and fp4; int8 has one scale per row.");
        }

        if (scheme != WeightScheme.Int8 && parse.IsGiven(_threshold))
        {
            throw new UsageException("--threshold belongs to int8; nf4 and fp4 have no outlier threshold.");
        }

        string[] skipped = parse.GetValue(_skip) ?? [];
        return new QuantizeOptions
        {
            Scheme = scheme,
            BlockSize = parse.GetValue(_blockSize),
            DoubleQuantize = parse.GetValue(_doubleQuantize),
            Skip = skipped.Length == 0 ? null : skipped,
            Int8Threshold = parse.GetValue(_threshold),
            MaxShardBytes = parse.GetValue(_maxShardBytes),
            Force = parse.GetValue(_force),
            DryRun = parse.GetValue(_dryRun),
            Device = CommonOptions.ResolveDevice(parse.GetRequiredValue(_device), logger),
        };
    }
}
