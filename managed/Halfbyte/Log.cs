using Microsoft.Extensions.Logging;

namespace Halfbyte;

/// <summary>Everything the library logs. Numbers are stable.</summary>
internal static partial class Log
{
    /// <summary>The trace is put together only where someone reads it.</summary>
    public static void LibraryLoaded(ILogger logger)
    {
        if (logger.IsEnabled(LogLevel.Debug))
        {
            LibraryLoaded(logger, string.Join("; ", HalfbyteEnvironment.LoaderTrace));
        }
    }

    [LoggerMessage(2, LogLevel.Debug, "Stream created: {Stream}")]
    public static partial void StreamCreated(ILogger logger, string stream);

    [LoggerMessage(3, LogLevel.Debug, "Stream disposed: {Stream}")]
    public static partial void StreamDisposed(ILogger logger, string stream);

    [LoggerMessage(4, LogLevel.Debug, "Workspace of stream {Stream} grown from {Before} to {After} bytes")]
    public static partial void WorkspaceGrown(ILogger logger, string stream, long before, long after);

    [LoggerMessage(5, LogLevel.Debug, "{Bytes} bytes of host memory go through {Device}: allocated, copied, waited for; buffers avoid that")]
    public static partial void Staged(ILogger logger, Device device, long bytes);

    [LoggerMessage(6, LogLevel.Debug, "Quantized {Tensor} on {Stream}")]
    public static partial void Quantized(ILogger logger, QuantizedTensor tensor, ComputeStream stream);

    [LoggerMessage(1, LogLevel.Debug, "Native library: {Trace}")]
    private static partial void LibraryLoaded(ILogger logger, string trace);
}
