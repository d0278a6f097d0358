using System.Runtime.InteropServices;

using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli;

/// <summary>The process: signals in, exit code out.</summary>
internal static class Program
{
    // A third signal is taken at its word; before that, work stops between two tensors and removes what it wrote.
    private const int PatientSignals = 2;

    internal static int Main(string[] args)
    {
        using var cancellation = new CancellationTokenSource();
        int received = 0;

        void Stop(PosixSignalContext context)
        {
            if (Interlocked.Increment(ref received) <= PatientSignals)
            {
                context.Cancel = true;
                cancellation.Cancel();
            }
        }

        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        return HalfbyteTool.Run(args, ToolHost.ForProcess(), cancellation.Token);
    }
}
