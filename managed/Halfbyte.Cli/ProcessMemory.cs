using System.Diagnostics;

namespace Halfbyte.Cli;

/// <summary>How much memory this process has held.</summary>
internal static class ProcessMemory
{
    /// <summary>The most memory this process ever had resident: what Linux calls VmHWM.</summary>
    internal static long PeakResidentBytes
    {
        get
        {
            using Process self = Process.GetCurrentProcess();
            return self.PeakWorkingSet64;
        }
    }
}
