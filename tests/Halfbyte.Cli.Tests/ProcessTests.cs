using System.Diagnostics;

using Halfbyte.Cli.Demo;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Tests;

/// <summary>What shows only in a process: signals, a full disk, a missing library.</summary>
public class ProcessTests
{
    private static readonly Dictionary<string, string> NoLibrary = new() { ["HALFBYTE_LIBRARY"] = "/nonexistent/libhalfbyte.so" };

    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void SetUp() => _directory = new TemporaryDirectory();

    [TearDown]
    public void TearDown() => _directory.Dispose();

    [TestCase("doctor")]
    [TestCase("bench", "--quick")]
    [TestCase("quantize", "{model}", "{out}", "--format", "nf4")]
    [TestCase("compare", "{model}", "{model}", "--device", "auto")]
    public void Without_its_native_library_the_tool_says_so(params string[] arguments)
    {
        string model = TinyCheckpoint.WriteModel(_directory["model"]);
        string[] replaced = Array.ConvertAll(arguments, one => one.Replace("{model}", model, StringComparison.Ordinal).Replace("{out}", _directory["out"], StringComparison.Ordinal));

        ToolRun run = ToolProcess.Run(NoLibrary, replaced);

        Assert.That(run.ExitCode, Is.EqualTo(3), run.Error);
        Assert.That(run.Output + run.Error, Does.Contain("/nonexistent/libhalfbyte.so").And.Not.Contain("   at "));
        Assert.That(Directory.Exists(_directory["out"]), Is.False);
    }

    [TestCase("inspect")]
    [TestCase("verify")]
    public void What_needs_no_arithmetic_works_without_the_native_library(string command)
    {
        string model = TinyCheckpoint.WriteModel(_directory["model"]);

        ToolRun run = ToolProcess.Run(NoLibrary, command, model);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "signals are sent with kill")]
    public void A_signal_leaves_nothing_behind([Values(ToolProcess.Interrupt, ToolProcess.Terminate)] int signal, [Values] bool replacing)
    {
        string model = _directory["model"];
        string place = _directory["place"];
        string output = Path.Combine(place, "out");
        Directory.CreateDirectory(place);
        DemoCheckpoint.Write(new DemoModel(layers: 1), model, new Silent(), CancellationToken.None);
        byte[]? before = null;
        if (replacing)
        {
            TinyCheckpoint.WriteModel(output);
            before = File.ReadAllBytes(Path.Combine(output, "model.safetensors"));
        }

        int entriesBefore = Entries(place).Count;
        using ToolProcess process = ToolProcess.Start(null, "quantize", model, output, "--format", "nf4", "--double-quant", "--force");
        WaitForStage(process, place, entriesBefore);
        process.Signal(signal);
        ToolRun run = process.Wait();

        Assert.That(run.ExitCode, Is.EqualTo(130), run.Error);
        Assert.That(run.Error, Does.Contain("nothing half-written"));
        Assert.That(run.Output, Is.Empty);
        Assert.That(Entries(place), Has.Count.EqualTo(replacing ? 3 : 0));
        if (replacing)
        {
            Assert.That(File.ReadAllBytes(Path.Combine(output, "model.safetensors")), Is.EqualTo(before));
        }
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "signals are sent with kill")]
    public void What_a_killed_run_left_is_removed_by_the_next([Values] bool replacing)
    {
        string model = _directory["model"];
        string place = _directory["place"];
        string output = Path.Combine(place, "out");
        Directory.CreateDirectory(place);
        DemoCheckpoint.Write(new DemoModel(layers: 1), model, new Silent(), CancellationToken.None);
        if (replacing)
        {
            TinyCheckpoint.WriteModel(output);
        }

        int entriesBefore = Entries(place).Count;
        using (ToolProcess process = ToolProcess.Start(null, "quantize", model, output, "--format", "nf4", "--force"))
        {
            WaitForStage(process, place, entriesBefore);
            process.Signal(ToolProcess.SigKill);
            process.Wait();
        }

        Assert.That(Entries(place), Has.Count.GreaterThan(entriesBefore), "the run was not killed in time");

        ToolRun next = ToolRun.Of("quantize", TinyCheckpoint.WriteModel(_directory["small"]), output, "--format", "nf4", "--force");

        Assert.That(next.ExitCode, Is.Zero, next.Error);
        Assert.That(Entries(place), Has.None.Contain(".halfbyte-tmp-"));
    }

    [Test]
    [Platform("Linux", Reason = "a small file system is a tmpfs")]
    public void A_full_disk_is_an_environment_error_and_leaves_nothing_behind()
    {
        string disk = _directory["disk"];
        string model = TinyCheckpoint.WriteModel(_directory["model"]);
        Directory.CreateDirectory(disk);
        if (Run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk) != 0)
        {
            Assert.Ignore("mounting a small file system needs more rights than this test has.");
        }

        try
        {
            ToolRun run = ToolProcess.Run(null, "quantize", model, Path.Combine(disk, "out"), "--format", "nf4");

            Assert.That(run.ExitCode, Is.EqualTo(3), run.Error);
            Assert.That(run.Error.Trim().Split('\n'), Has.Length.EqualTo(1), run.Error);
            Assert.That(Directory.GetFileSystemEntries(disk), Is.Empty);
        }
        finally
        {
            Run("umount", disk);
        }
    }

    [Test]
    public void Redirected_output_is_plain()
    {
        string model = TinyCheckpoint.WriteModel(_directory["model"]);

        ToolRun run = ToolProcess.Run(null, "inspect", model);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Output, Does.Not.Contain("\u001b").And.Not.Contain("│").And.Not.Contain("╭"));
    }

    // Work happens in a directory of its own, beside OUT or in it.
    private static void WaitForStage(ToolProcess process, string place, int entriesBefore)
    {
        long start = Stopwatch.GetTimestamp();
        while (!process.HasExited && Entries(place).Count == entriesBefore)
        {
            Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(TimeSpan.FromSeconds(60)));
            Thread.Sleep(2);
        }
    }

    private static List<string> Entries(string place)
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries(place, "*", SearchOption.AllDirectories)];
        }
        catch (DirectoryNotFoundException)
        {
            return []; // a stage that went away while it was listed
        }
    }

    private static int Run(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return -1;
        }
    }

    private sealed class Silent : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value)
        {
        }
    }
}
