namespace Halfbyte.Cli.Terminal;

/// <summary>Where a run of the tool writes to, and what it may assume about the other end. Tests pass their own.</summary>
internal sealed record ToolHost(TextWriter Out, TextWriter Error, bool OutIsTerminal, bool ErrorIsTerminal)
{
    /// <summary>The process's own streams.</summary>
    internal static ToolHost ForProcess()
    {
        bool dumb = Environment.GetEnvironmentVariable("TERM") == "dumb";
        return new ToolHost(
            Console.Out, Console.Error, !Console.IsOutputRedirected && !dumb, !Console.IsErrorRedirected && !dumb);
    }
}
