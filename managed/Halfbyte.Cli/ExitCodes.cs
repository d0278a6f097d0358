namespace Halfbyte.Cli;

/// <summary>What the process returns. Scripts rely on these numbers.</summary>
internal static class ExitCodes
{
    /// <summary>Done, and everything that was checked held.</summary>
    internal const int Ok = 0;

    /// <summary>The input is missing, unreadable or breaks a rule of its format; or a check of the input failed.</summary>
    internal const int BadInput = 1;

    /// <summary>The command line cannot be carried out as written.</summary>
    internal const int Usage = 2;

    /// <summary>This machine cannot do it: no native library, no such device, no memory, no space on the disk, a wrong
    /// setting in its environment.</summary>
    internal const int Environment = 3;

    /// <summary>A defect of this program (EX_SOFTWARE of sysexits.h).</summary>
    internal const int Internal = 70;

    /// <summary>Stopped by Ctrl-C or a termination signal (128 + SIGINT, as shells report it).</summary>
    internal const int Cancelled = 130;
}
