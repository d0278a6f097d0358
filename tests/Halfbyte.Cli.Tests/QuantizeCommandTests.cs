using System.Text.Json;

namespace Halfbyte.Cli.Tests;

public class QuantizeCommandTests
{
    private TemporaryDirectory _directory = null!;
    private string _model = null!;

    [SetUp]
    public void SetUp()
    {
        _directory = new TemporaryDirectory();
        _model = TinyCheckpoint.WriteModel(_directory["model"]);
    }

    [TearDown]
    public void TearDown() => _directory.Dispose();

    [TestCase("nf4", "--double-quant")]
    [TestCase("nf4")]
    [TestCase("fp4", "--block-size", "128")]
    [TestCase("int8", "--threshold", "5.5")]
    public void The_result_verifies_compares_and_comes_back(string format, params string[] options)
    {
        string quantized = _directory["out"];
        string restored = _directory["restored"];

        ToolRun quantize = ToolRun.Of(["quantize", _model, quantized, "--format", format, .. options]);
        ToolRun verify = ToolRun.Of("verify", quantized);
        ToolRun compare = ToolRun.Of("compare", _model, quantized, "--json");
        ToolRun dequantize = ToolRun.Of("dequantize", quantized, restored, "--dtype", "fp32");
        ToolRun inspect = ToolRun.Of("inspect", restored);

        Assert.That(quantize.ExitCode, Is.Zero, quantize.Error);
        Assert.That(quantize.Output, Does.Contain($"9 weights to {format}").And.Contain("peak memory"));
        Assert.That(verify.ExitCode, Is.Zero, verify.Error);
        Assert.That(verify.Output, Does.StartWith("passed: ").And.Contain("9 quantized weights"));
        double error = compare.Json().GetProperty("relative_error").GetDouble();
        Assert.That(error, Is.InRange(0.001, format == "int8" ? 0.01 : 0.2));
        Assert.That(dequantize.ExitCode, Is.Zero, dequantize.Error);
        Assert.That(dequantize.Output, Does.Contain("9 weights to float32, 6 tensors kept."));
        Assert.That(ToolRun.Of("dequantize", quantized, _directory["before"]).Output, Does.Contain("9 weights to the type each had before, "));
        Assert.That(inspect.Output, Does.Contain("float32  [192, 128]"));
    }

    [Test]
    public void Formats_are_known_in_any_case() => Assert.That(
        ToolRun.Of("quantize", _model, _directory["out"], "--format", "NF4", "--json").Json().GetProperty("target").GetString(),
        Is.EqualTo("nf4"));

    [Test]
    public void Json_is_the_only_thing_on_standard_output()
    {
        JsonElement json = ToolRun.Of("quantize", _model, _directory["out"], "--format", "nf4", "--json").Json();

        Assert.That(json.GetProperty("target").GetString(), Is.EqualTo("nf4"));
        Assert.That(json.GetProperty("block_size").GetInt32(), Is.EqualTo(64));
        Assert.That(json.GetProperty("converted_count").GetInt32(), Is.EqualTo(9));
        Assert.That(json.GetProperty("input_bytes").GetInt64(), Is.GreaterThan(json.GetProperty("output_bytes").GetInt64()));
        Assert.That(json.GetProperty("peak_resident_bytes").GetInt64(), Is.Positive);
        Assert.That(json.GetProperty("tensors").GetArrayLength(), Is.EqualTo(15));
    }

    [Test]
    public void An_output_that_holds_a_checkpoint_is_kept_unless_forced()
    {
        string output = TinyCheckpoint.WriteModel(_directory["out"], layers: 1);
        byte[] before = File.ReadAllBytes(Path.Combine(output, "model.safetensors"));

        ToolRun refused = ToolRun.Of("quantize", _model, output, "--format", "nf4");
        ToolRun refusedDry = ToolRun.Of("quantize", _model, output, "--format", "nf4", "--dry-run");
        ToolRun forcedDry = ToolRun.Of("quantize", _model, output, "--format", "nf4", "--dry-run", "--force");
        byte[] after = File.ReadAllBytes(Path.Combine(output, "model.safetensors"));
        ToolRun forced = ToolRun.Of("quantize", _model, output, "--format", "nf4", "--force");

        Assert.That(refused.ExitCode, Is.EqualTo(2));
        Assert.That(refused.Error, Does.Contain("--force"));
        Assert.That((refusedDry.ExitCode, refusedDry.Error), Is.EqualTo((refused.ExitCode, refused.Error)), "a dry run says what would happen");
        Assert.That(forcedDry.ExitCode, Is.Zero, forcedDry.Error);
        Assert.That(after, Is.EqualTo(before));
        Assert.That(forced.ExitCode, Is.Zero, forced.Error);
        Assert.That(ToolRun.Of("inspect", output).Output, Does.Contain("nf4 bs=64"));
    }

    [Test]
    public void An_output_that_is_a_file_is_a_usage_error()
    {
        File.WriteAllText(_directory["out"], "");

        Assert.That(ToolRun.Of("quantize", _model, _directory["out"], "--format", "nf4").ExitCode, Is.EqualTo(2));
    }

    [Test]
    public void A_dry_run_writes_nothing()
    {
        ToolRun run = ToolRun.Of("quantize", _model, _directory["out"], "--format", "int8", "--dry-run");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Output, Does.Contain("nothing was written"));
        Assert.That(Directory.Exists(_directory["out"]), Is.False);
    }

    [Test]
    public void Skipped_modules_stay_and_an_entry_that_matches_nothing_is_warned_about()
    {
        ToolRun run = ToolRun.Of(
            "quantize", _model, _directory["out"], "--format", "nf4", "--skip", "lm_head", "--skip", "up_proj", "--skip", "no_such_module");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Output, Does.Contain("6 weights to nf4").And.Contain("skipped: up_proj"));
        Assert.That(run.Error, Does.StartWith("warning: ").And.Contain("no_such_module"));
    }

    [Test]
    public void A_quantized_checkpoint_is_not_quantized_again()
    {
        ToolRun.Of("quantize", _model, _directory["once"], "--format", "nf4");

        ToolRun run = ToolRun.Of("quantize", _directory["once"], _directory["twice"], "--format", "nf4");

        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error, Does.Contain("already quantized"));
        Assert.That(Directory.Exists(_directory["twice"]), Is.False);
    }

    [Test]
    public void A_missing_input_is_bad_input()
    {
        ToolRun run = ToolRun.Of("quantize", _directory["nowhere"], _directory["out"], "--format", "nf4");

        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error.Trim().Split('\n'), Has.Length.EqualTo(1));
        Assert.That(Directory.Exists(_directory["out"]), Is.False);
    }

    [Test]
    public void A_device_that_is_not_there_is_an_environment_error()
    {
        ToolRun run = ToolRun.Of("quantize", _model, _directory["out"], "--format", "nf4", "--device", "cuda:99");

        Assert.That(run.ExitCode, Is.EqualTo(3), run.Error);
        Assert.That(Directory.Exists(_directory["out"]), Is.False);
    }

    [Test]
    public void Verbose_logs_to_standard_error_only()
    {
        ToolRun run = ToolProcess.Run(null, "quantize", _model, _directory["out"], "--format", "nf4", "--json", "-v");

        Assert.That(run.Json().GetProperty("target").GetString(), Is.EqualTo("nf4"));
        Assert.That(run.Error, Does.Contain("tensor 1 of 15").And.Contain("exit code 0"));
    }
}
