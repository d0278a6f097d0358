namespace Halfbyte.Cli.Tests;

/// <summary>Command lines that cannot be carried out: exit code 2, a sentence on standard error, nothing on standard output.</summary>
public class UsageTests
{
    [TestCase("quantize")]
    [TestCase("quantize in out")]
    [TestCase("quantize in out --format nf5")]
    [TestCase("quantize in out --format nf4 --block-size 63")]
    [TestCase("quantize in out --format nf4 --block-size many")]
    [TestCase("quantize in out --format nf4 --device tpu")]
    [TestCase("quantize in out --format nf4 --device cuda:-1")]
    [TestCase("quantize in out --format nf4 --threshold 6")]
    [TestCase("quantize in out --format int8 --threshold -1")]
    [TestCase("quantize in out --format int8 --threshold NaN")]
    [TestCase("quantize in out --format int8 --double-quant")]
    [TestCase("quantize in out --format int8 --block-size 64")]
    [TestCase("quantize in out --format nf4 --max-shard-bytes 0")]
    [TestCase("quantize in out surplus --format nf4")]
    [TestCase("quantize in out --format nf4 --nonsense")]
    [TestCase("dequantize in")]
    [TestCase("dequantize in out --dtype int8")]
    [TestCase("inspect")]
    [TestCase("inspect a b")]
    [TestCase("inspect a --depth 0")]
    [TestCase("verify")]
    [TestCase("compare a")]
    [TestCase("bench --threads 0")]
    [TestCase("bench --filter no-such-row")]
    [TestCase("demo --layers 0")]
    [TestCase("demo --layers few")]
    [TestCase("bench --threads 1.5")]
    [TestCase("quantise a b")]
    public void Is_a_usage_error(string commandLine)
    {
        ToolRun run = ToolRun.Of(commandLine.Split(' '));

        Assert.That(run.ExitCode, Is.EqualTo(2), run.Error);
        Assert.That(run.Error.Trim(), Is.Not.Empty);
        Assert.That(run.Error, Does.Contain("--help"));
        Assert.That(run.Output, Is.Empty);
    }

    [TestCase("quantize in out --format nf4 --block-size many", "--block-size takes 32, 64, 128, 256, 512, 1024, 2048 or 4096, not 'many'.")]
    [TestCase("quantize in out --format nf4 --max-shard-bytes 5GB", "--max-shard-bytes takes a number of at least 1, not '5GB'.")]
    [TestCase("quantize in out --format int8 --threshold 1,5", "--threshold takes a finite number of at least 0, not '1,5'.")]
    [TestCase("inspect a --depth 99999999999", "--depth takes a number of at least 1, not '99999999999'.")]
    [TestCase("bench --threads 1.5", "--threads takes a number from 1 to 1024, not '1.5'.")]
    [TestCase("dequantize in out --dtype bfloat", "--dtype takes bf16, fp16 or fp32, not 'bfloat'.")]
    [TestCase("quantize in out --format nf4 --skip lm_head,q_proj", "--skip takes one name and may be repeated: --skip lm_head --skip q_proj.")]
    public void A_value_that_does_not_fit_is_answered_with_what_does(string commandLine, string sentence)
    {
        ToolRun run = ToolRun.Of(commandLine.Split(' '));

        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error.Split('\n')[0].Trim(), Is.EqualTo(sentence));
    }

    [TestCase("IN", "quantize", "", "out", "--format", "nf4")]
    [TestCase("OUT", "quantize", "in", "", "--format", "nf4")]
    [TestCase("--skip", "quantize", "in", "out", "--format", "nf4", "--skip", "")]
    [TestCase("OUT", "dequantize", "in", "")]
    [TestCase("PATH", "inspect", "")]
    [TestCase("PATH", "verify", "")]
    [TestCase("QUANTIZED", "compare", "a", "")]
    [TestCase("--filter", "bench", "--filter", "")]
    [TestCase("--output", "bench", "--output", "")]
    [TestCase("--dir", "demo", "--dir", "")]
    [TestCase("--layers", "demo", "--layers", "")]
    public void An_empty_value_is_a_usage_error_that_names_it(string name, params string[] arguments)
    {
        ToolRun run = ToolRun.Of(arguments);

        Assert.That(run.ExitCode, Is.EqualTo(2), run.Error);
        Assert.That(run.Error, Does.StartWith($"{name} is empty").And.Contain("--help"));
        Assert.That(run.Output, Is.Empty);
    }

    [Test]
    public void Nothing_at_all_shows_the_help_and_is_a_usage_error()
    {
        ToolRun run = ToolRun.Of();

        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Output, Does.Contain("quantize"));
        Assert.That(run.Error, Does.StartWith("halfbyte: no command was given").And.Contain("--help"));
    }

    [Test]
    public void A_misspelt_command_is_answered_with_the_right_one()
    {
        string error = ToolRun.Of("quantise", "a", "b").Error;
        Assert.That(error.IndexOf("quantize", StringComparison.Ordinal), Is.GreaterThan(error.LastIndexOf("quantise", StringComparison.Ordinal)), error);
    }

    [Test]
    public void A_path_that_begins_with_an_at_sign_is_a_path()
    {
        ToolRun run = ToolRun.Of("inspect", "@no-such-file");

        Assert.That(run.ExitCode, Is.EqualTo(1), run.Error);
    }
}
