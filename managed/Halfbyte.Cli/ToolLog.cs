using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli;

/// <summary>What the tool itself logs.</summary>
internal static partial class ToolLog
{
    [LoggerMessage(1, LogLevel.Debug, "halfbyte {Version}, {Command}")]
    internal static partial void CommandStarted(ILogger logger, string version, string command);

    [LoggerMessage(2, LogLevel.Debug, "native library {Version} on {Device}: {Name}")]
    internal static partial void DeviceChosen(ILogger logger, string version, Device device, string name);

    [LoggerMessage(3, LogLevel.Debug, "tensor {Number} of {Count}: {Name}")]
    internal static partial void TensorStarted(ILogger logger, int number, int count, string name);

    [LoggerMessage(4, LogLevel.Debug, "ended with exit code {ExitCode} after {Seconds:0.000} s")]
    internal static partial void CommandEnded(ILogger logger, int exitCode, double seconds);
}
