using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Halfbyte.Cli.Tests;

/// <summary>The tool as a process: what only a process has, such as signals, its environment and its exit code.</summary>
public sealed class ToolProcess : IDisposable
{
    public const int Interrupt = 2;
    public const int Terminate = 15;
    public const int SigKill = 9;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _error;

    private ToolProcess(Process process)
    {
        _process = process;
        _output = process.StandardOutput.ReadToEndAsync();
        _error = process.StandardError.ReadToEndAsync();
    }

    public static ToolProcess Start(IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "Halfbyte.Cli.exe" : "Halfbyte.Cli");
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return new ToolProcess(Process.Start(start)!);
    }

    public static ToolRun Run(IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        using ToolProcess process = Start(environment, arguments);
        return process.Wait();
    }

    public bool HasExited => _process.HasExited;

    public void Signal(int signal) => Assert.That(Kill(_process.Id, signal), Is.Zero, "the signal could not be sent");

    public ToolRun Wait()
    {
        if (!_process.WaitForExit(Patience))
        {
            _process.Kill(entireProcessTree: true);
            Assert.Fail($"The tool did not end within {Patience.TotalSeconds} s.");
        }

        return new ToolRun(_process.ExitCode, _output.GetAwaiter().GetResult(), _error.GetAwaiter().GetResult());
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}
