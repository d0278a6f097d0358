using System.Text.Json;

namespace Halfbyte.Cli.Tests;

public class InspectCommandTests
{
    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void SetUp() => _directory = new TemporaryDirectory();

    [TearDown]
    public void TearDown() => _directory.Dispose();

    [Test]
    public void Repeated_layers_are_folded_and_totals_follow()
    {
        ToolRun run = ToolRun.Of("inspect", TinyCheckpoint.WriteModel(_directory["model"], layers: 12));

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Output, Does.Contain("0..11 (x12)").And.Contain("up_proj.weight  bfloat16  [192, 128]").And.Contain("parameters"));
        Assert.That(run.Output.Split("up_proj"), Has.Length.EqualTo(2), "once, not twelve times");
    }

    [Test]
    public void Folded_layers_of_a_quantized_checkpoint_stay_folded()
    {
        ToolRun.Of("quantize", TinyCheckpoint.WriteModel(_directory["model"]), _directory["out"], "--format", "nf4", "--double-quant");

        Assert.That(ToolRun.Of("inspect", _directory["out"]).Output, Does.Contain("0..2 (x3)").And.Contain("nf4 bs=64 dq  [128, 192]"));
    }

    [Test]
    public void Depth_cuts_the_tree()
    {
        ToolRun run = ToolRun.Of("inspect", TinyCheckpoint.WriteModel(_directory["model"]), "--depth", "1");

        Assert.That(run.Output, Does.Contain("model").And.Not.Contain("layers"));
    }

    [Test]
    public void Json_lists_every_tensor()
    {
        JsonElement json = ToolRun.Of("inspect", TinyCheckpoint.WriteModel(_directory["model"]), "--json").Json();

        Assert.That(json.GetProperty("model_type").GetString(), Is.EqualTo("llama"));
        Assert.That(json.GetProperty("tensors").GetArrayLength(), Is.EqualTo(15));
        Assert.That(json.GetProperty("tensors")[0].GetProperty("shape").GetArrayLength(), Is.GreaterThan(0));
    }

    [Test]
    public void Control_characters_in_names_do_not_reach_the_terminal([Values] bool terminal, [Values("inspect", "verify", "quantize")] string command)
    {
        string file = _directory["evil.safetensors"];
        TinyCheckpoint.Write(
            file, [("\u001b[2Jgone\u0007.\u202eweight", [64, 64]), ("[red]markup[/].weight", [64, 64]), ("line\nbreak.weight", [64, 64])]);
        string[] arguments = command == "quantize" ? [command, file, _directory["out"], "--format", "nf4"] : [command, file];

        ToolRun run = terminal ? ToolRun.OnTerminal(arguments) : ToolRun.Of(arguments);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        foreach (string text in new[] { run.Output, run.Error })
        {
            Assert.That(text, Does.Not.Contain("\u001b[2J").And.Not.Contain("\u0007").And.Not.Contain("\u202e").And.Not.Contain("line\nbreak"));
        }

        if (command == "inspect")
        {
            Assert.That(run.Output, Does.Contain(@"\u001b[2Jgone\u0007").And.Contain("[red]markup[/]").And.Contain(@"line\u000abreak"));
        }
    }

    [Test]
    public void Names_with_thousands_of_dots_are_shown_in_one_piece()
    {
        string file = _directory["deep.safetensors"];
        TinyCheckpoint.Write(file, [(string.Join('.', Enumerable.Repeat("a", 2000)), [4])]);

        ToolRun run = ToolRun.OnTerminal("inspect", file);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
    }
}
