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

    [Test]
    public void The_self_test_takes_less_than_a_second()
    {
        using ComputeStream stream = ComputeStream.CreateCpu(CpuPath.Auto, threads: 1);
        long start = System.Diagnostics.Stopwatch.GetTimestamp();

        Assert.That(SelfTest.Run(stream), Is.Null);
        Assert.That(System.Diagnostics.Stopwatch.GetElapsedTime(start), Is.LessThan(TimeSpan.FromSeconds(1)));
    }
}
