using System.Text.Json;

using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Tests;

/// <summary>One run of the tool inside the test's process, and what it said.</summary>
public sealed record ToolRun(int ExitCode, string Output, string Error)
{
    public static ToolRun Of(params string[] arguments) => Run(terminal: false, arguments);

    /// <summary>As if both streams were terminals.</summary>
    public static ToolRun OnTerminal(params string[] arguments) => Run(terminal: true, arguments);

    public JsonElement Json()
    {
        Assert.That(ExitCode, Is.Zero, Error);
        return JsonDocument.Parse(Output).RootElement;
    }

    private static ToolRun Run(bool terminal, string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var host = new ToolHost(output, error, terminal, terminal);
        int exitCode = HalfbyteTool.Run(arguments, host);
        return new ToolRun(exitCode, output.ToString(), error.ToString());
    }
}
