using Halfbyte.Checkpoints;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli;

/// <summary>Turns an exception into one sentence and an exit code.</summary>
internal static class Failure
{
    // errno and Win32 numbers; .NET keeps them in HResult.
    private const int Enospc = 28;
    private const int Edquot = 122;
    private const int ErrorHandleDiskFull = unchecked((int)0x80070027);
    private const int ErrorDiskFull = unchecked((int)0x80070070);

    internal static int Report(Exception exception, Output output, string command)
    {
        // Work that ran in parallel wraps what happened.
        while (exception is AggregateException { InnerExceptions.Count: 1 } or TypeInitializationException { InnerException: not null })
        {
            exception = exception.InnerException!;
        }

        switch (exception)
        {
            case OperationCanceledException:
                output.Error("stopped; nothing half-written was left behind.");
                return ExitCodes.Cancelled;

            case UsageException:
                output.Error(exception.Message);
                output.Details($"Run 'halfbyte {command} --help' for the options and examples.");
                return ExitCodes.Usage;

            case CheckpointFormatException:
            case HalfbyteArgumentException:
                output.Error(exception.Message);
                return ExitCodes.BadInput;

            case DllNotFoundException or BadImageFormatException or EntryPointNotFoundException:
                (string diagnosis, string trace) = SplitFirstLine(exception.Message);
                output.Error(diagnosis);
                if (trace.Length > 0)
                {
                    output.Details(trace);
                }

                output.Details("Run 'halfbyte doctor' for what was found and how to mend it.");
                return ExitCodes.Environment;

            case HalfbyteException { Status: not HalfbyteStatus.Internal } or OutOfMemoryException:
                output.Error(exception.Message);
                return ExitCodes.Environment;

            // OUT was looked at before: what fails now is the place itself.
            case CheckpointOutputException:
                output.Error(exception.Message);
                return ExitCodes.Environment;

            case IOException io when io.HResult is Enospc or Edquot or ErrorDiskFull or ErrorHandleDiskFull:
                output.Error(exception.Message + " (free some space; nothing half-written was left behind)");
                return ExitCodes.Environment;

            case IOException or UnauthorizedAccessException:
                output.Error(exception.Message);
                return ExitCodes.BadInput;

            default:
                output.Error("internal error: " + SplitFirstLine(exception.Message).First);
                output.Details(exception.ToString());
                output.Details("This is a defect of halfbyte. Please report the lines above and the output of 'halfbyte doctor'.");
                return ExitCodes.Internal;
        }
    }

    private static (string First, string Further) SplitFirstLine(string text)
    {
        int end = text.AsSpan().IndexOfAny('\r', '\n');
        return end < 0 ? (text, "") : (text[..end], text[end..].TrimStart('\r', '\n'));
    }
}
