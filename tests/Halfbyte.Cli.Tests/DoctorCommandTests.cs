using System.Diagnostics;
using System.Text.Json;

using Halfbyte.Cli.Doctor;

namespace Halfbyte.Cli.Tests;

public class DoctorCommandTests
{
    [Test]
    public void This_machine_is_healthy()
    {
        ToolRun run = ToolRun.Of("doctor");

        Assert.That(run.ExitCode, Is.Zero, run.Output);
        Assert.That(run.Output, Does.Contain("healthy: ").And.Contain("scalar").And.Contain("passed in"));
    }

    [Test]
    public void Json_has_the_facts()
    {
        JsonElement json = ToolRun.Of("doctor", "--json").Json();

        Assert.That(json.GetProperty("healthy").GetBoolean(), Is.True);
        Assert.That(json.GetProperty("abi_version").GetInt32(), Is.Positive);
        Assert.That(json.GetProperty("library_trace").GetArrayLength(), Is.Positive);
        Assert.That(json.GetProperty("devices")[0].GetProperty("path").GetString(), Is.EqualTo("scalar"));
    }

    [TestCase("HALFBYTE_CPU_PATH", "fast", "scalar, avx2")]
    [TestCase("HALFBYTE_NUM_THREADS", "0", "expected 1 to")]
    [TestCase("HALFBYTE_NUM_THREADS", "two", "expected 1 to")]
    [TestCase("HALFBYTE_LIBRARY", "no-such-library", "not a usable")]
    public void A_setting_that_is_wrong_is_found_and_explained(string name, string value, string expected)
    {
        ToolRun run = ToolProcess.Run(new Dictionary<string, string> { [name] = value }, "doctor");

        Assert.That(run.ExitCode, Is.EqualTo(3), run.Output);
        Assert.That(run.Output, Does.Contain($"{name}={value}").And.Contain(expected).And.Contain("broken: ").And.Match($"(?i)unset ({name}|it)"));
        Assert.That(run.Error, Is.Empty);
    }

    [TestCase("HALFBYTE_CPU_PATH")]
    [TestCase("HALFBYTE_NUM_THREADS")]
    public void A_setting_that_is_wrong_is_an_environment_error_in_every_command(string name)
    {
        using var directory = new TemporaryDirectory();
        string model = TinyCheckpoint.WriteModel(directory["model"]);

        ToolRun run = ToolProcess.Run(new Dictionary<string, string> { [name] = "foo" }, "quantize", model, directory["out"], "--format", "nf4");

        Assert.That(run.ExitCode, Is.EqualTo(3), run.Error);
        Assert.That(run.Error, Does.Contain($"{name} is 'foo'; expected "));
    }

    [Test]
    public void A_setting_that_is_right_is_shown()
    {
        ToolRun run = ToolProcess.Run(
            new Dictionary<string, string> { ["HALFBYTE_CPU_PATH"] = "scalar", ["HALFBYTE_NUM_THREADS"] = "1" }, "doctor");

        Assert.That(run.ExitCode, Is.Zero, run.Output);
        Assert.That(run.Output, Does.Contain("HALFBYTE_CPU_PATH=scalar").And.Contain("HALFBYTE_NUM_THREADS=1"));
    }

    [Test]
    public void The_self_test_takes_less_than_a_second()
    {
        using ComputeStream stream = ComputeStream.CreateCpu(CpuPath.Auto, threads: 1);
        var best = TimeSpan.MaxValue;
        for (int i = 0; i < 3; i++) // a busy machine may disturb one run, hardly three
        {
            long start = Stopwatch.GetTimestamp();
            Assert.That(SelfTest.Run(stream), Is.Null);
            best = TimeSpan.FromTicks(Math.Min(best.Ticks, Stopwatch.GetElapsedTime(start).Ticks));
        }

        Assert.That(best, Is.LessThan(TimeSpan.FromSeconds(1)));
    }
}
