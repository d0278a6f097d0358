using System.CommandLine;
using System.Globalization;
using System.Numerics;

using Halfbyte.Checkpoints;
using Halfbyte.Cli.Terminal;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Commands;

/// <summary>Arguments and options that mean the same in several commands.</summary>
internal static class CommonOptions
{
    private const string AutoDevice = "auto";

    internal static Argument<string> Input(string name = "IN", string what = "The checkpoint") => new(name)
    {
        Description = $"{what}: a directory, a .safetensors.index.json, or one .safetensors file.",
    };

    internal static Argument<string> OutputDirectory() => new("OUT")
    {
        Description = "The directory to write; created if need be. It must not hold a checkpoint already, unless --force is given.",
    };

    internal static Option<bool> Force() => new("--force")
    {
        Description = "Replace a checkpoint that OUT holds already. It stays as it was until the new one is complete.",
    };

    internal static Option<long> MaxShardBytes()
    {
        var option = new Option<long>("--max-shard-bytes")
        {
            Description = "Start a new file before one would exceed this many bytes.",
            HelpName = "BYTES",
            DefaultValueFactory = _ => 5_000_000_000,
        };
        option.Accept(bytes => bytes >= 1, "a number of at least 1");
        return option;
    }

    internal static Option<string> DeviceOption()
    {
        var option = new Option<string>("--device")
        {
            Description = "Where to compute: auto (the first CUDA device, else the CPU), cpu, cuda:0, cuda:1, ...",
            HelpName = "DEVICE",
            DefaultValueFactory = _ => AutoDevice,
        };
        option.Validators.Add(result =>
        {
            string? text = result.Tokens.Count > 0 ? result.Tokens[0].Value : null;
            if (text is not null && text != AutoDevice && !Device.TryParse(text, out _))
            {
                result.AddError($"'{text}' is not a device; use auto, cpu, cuda:0, cuda:1, ...");
            }
        });
        return option;
    }

    internal static Device ResolveDevice(string text, ILogger logger)
    {
        Device device = text != AutoDevice ? Device.Parse(text)
            : HalfbyteEnvironment.CudaDeviceCount > 0 ? Device.Cuda(0)
            : Device.Cpu;
        if (logger.IsEnabled(LogLevel.Debug))
        {
            ToolLog.DeviceChosen(logger, HalfbyteEnvironment.NativeVersion, device, HalfbyteEnvironment.DeviceName(device));
        }

        return device;
    }

    /// <summary>An option with a fixed list of values, in any case; others are a usage error with the list in the message.</summary>
    internal static Option<string> OneOf(string name, string helpName, string description, params string[] values)
    {
        var option = new Option<string>(name) { Description = description, HelpName = helpName };
        option.CompletionSources.Add(values);
        option.CustomParser = result => Find(result.Tokens[0].Value);
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value.Length: > 0 } token] && Find(token.Value) is null)
            {
                result.AddError($"{name} takes {string.Join(", ", values[..^1])} or {values[^1]}, not '{token.Value}'.");
            }
        });
        return option;

        string? Find(string text) => Array.Find(values, value => value.Equals(text, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Makes texts that are no number, and numbers outside a range, a usage error that says what is taken.</summary>
    internal static void Accept<T>(this Option<T> option, Func<T, bool> isAccepted, string what)
        where T : INumber<T>
    {
        // No group separators: 1,5 would be fifteen.
        NumberStyles style = typeof(T) == typeof(float) ? NumberStyles.Float : NumberStyles.Integer;
        option.CustomParser = result => T.Parse(result.Tokens[0].Value, style, CultureInfo.InvariantCulture);
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value.Length: > 0 } token]
                && !(T.TryParse(token.Value, style, CultureInfo.InvariantCulture, out T? value) && isAccepted(value)))
            {
                result.AddError($"{option.Name} takes {what}, not '{token.Value}'.");
            }
        });
    }

    /// <summary>Refuses an OUT that is taken, before anything is read.</summary>
    internal static void CheckOutput(string input, string output, bool force)
    {
        string? inputDirectory = Directory.Exists(input) ? input : Path.GetDirectoryName(Path.GetFullPath(input));
        if (inputDirectory is not null && FullPath(inputDirectory) == FullPath(output))
        {
            throw new UsageException($"'{output}' is the directory that IN is in; choose another OUT.");
        }

        if (File.Exists(output))
        {
            throw new UsageException($"'{output}' is a file; OUT is a directory.");
        }

        if (force || !Directory.Exists(output))
        {
            return;
        }

        string? taken = Directory.EnumerateFiles(output)
            .Select(Path.GetFileName)
            .FirstOrDefault(name => name!.EndsWith(".safetensors", StringComparison.Ordinal)
                                    || name.EndsWith(".safetensors.index.json", StringComparison.Ordinal)
                                    || name.StartsWith("pytorch_model", StringComparison.Ordinal));
        if (taken is not null)
        {
            throw new UsageException($"'{output}' already holds a checkpoint ('{taken}'); choose another OUT, or add --force to replace it.");
        }
    }

    internal static bool IsGiven(this ParseResult parse, Option option) => parse.GetResult(option) is { Implicit: false };

    /// <summary>Feeds the library's progress into the display and the log.</summary>
    internal static IProgress<CheckpointProgress> Adapt(IProgress<WorkProgress> display, ILogger logger) => new ProgressAdapter(display, logger);

    private static string FullPath(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));

    private sealed class ProgressAdapter(IProgress<WorkProgress> display, ILogger logger) : IProgress<CheckpointProgress>
    {
        private string? _tensor;

        public void Report(CheckpointProgress value)
        {
            if (value.TensorName != _tensor)
            {
                _tensor = value.TensorName;
                ToolLog.TensorStarted(logger, value.TensorsDone + 1, value.TensorsTotal, Printable.Clean(value.TensorName));
            }

            display.Report(new WorkProgress(value.TensorName, value.BytesDone, value.BytesTotal));
        }
    }
}
