using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Halfbyte.Cli.Demo;

/// <summary>Runs <c>halfbyte quantize</c> as a process of its own, so that the peak memory it reports is that of quantizing and nothing else.</summary>
internal static class QuantizeProcess
{
    /// <summary>Runs it; returns what <c>--json</c> printed.</summary>
    internal static JsonObject Run(IEnumerable<string> arguments, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ProcessStartInfo start = Self();
        start.ArgumentList.Add("quantize");
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.ArgumentList.Add("--json");
        start.RedirectStandardOutput = true;
        using Process process = Process.Start(start) ?? throw new InvalidOperationException("The process did not start.");
        using CancellationTokenRegistration stop = cancellation.Register(() => Stop(process));
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        if (process.ExitCode != ExitCodes.Ok)
        {
            throw new InvalidOperationException($"'halfbyte quantize' ended with exit code {process.ExitCode}; its own message is above.");
        }

        try
        {
            return JsonNode.Parse(output)!.AsObject();
        }
        catch (JsonException exception)
        {
            throw new InvalidOperationException("'halfbyte quantize --json' printed something that is not JSON.", exception);
        }
    }

    private static ProcessStartInfo Self()
    {
        string program = Environment.ProcessPath ?? throw new InvalidOperationException("The path of this program is unknown.");
        var start = new ProcessStartInfo(program) { UseShellExecute = false };
        if (Path.GetFileNameWithoutExtension(program).Equals("dotnet", StringComparison.OrdinalIgnoreCase))
        {
            start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, typeof(QuantizeProcess).Assembly.GetName().Name + ".dll"));
        }

        return start;
    }

    // Ctrl-C reaches the child too, and it cleans up after itself; what does not end by itself is ended.
    private static void Stop(Process process)
    {
        if (!process.WaitForExit(TimeSpan.FromSeconds(5)))
        {
            process.Kill(entireProcessTree: true);
        }
    }
}
