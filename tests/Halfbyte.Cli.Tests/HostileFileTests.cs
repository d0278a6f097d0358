using System.Buffers.Binary;
using System.Text;

namespace Halfbyte.Cli.Tests;

/// <summary>Files that lie: exit code 1, one sentence on standard error, nothing written.</summary>
public class HostileFileTests
{
    private static readonly Dictionary<string, byte[]> Files = new()
    {
        ["empty"] = [],
        ["seven bytes"] = new byte[7],
        ["a header longer than the file"] = WithHeader("{}", length: 1 << 20),
        ["a header of 2^63 bytes"] = WithHeader("{}", length: long.MaxValue),
        ["a negative header length"] = WithHeader("{}", length: -1),
        ["no JSON"] = WithHeader("not json"),
        ["an array"] = WithHeader("[]"),
        ["endless nesting"] = WithHeader(new string('[', 100_000)),
        ["overlapping tensors"] = WithHeader(
            """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}""", data: 6),
        ["offsets beyond the end"] = WithHeader("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"""),
        ["a shape that overflows"] = WithHeader(
            """{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}""", data: 4),
        ["a negative shape"] = WithHeader("""{"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}}""", data: 4),
        ["an unknown type"] = WithHeader("""{"a":{"dtype":"Q3","shape":[4],"data_offsets":[0,4]}}""", data: 4),
        ["a name twice"] = WithHeader(
            """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""", data: 8),
        ["an escape sequence in an error"] = WithHeader("""{"\u001b[31m":{"dtype":"Q3","shape":[4],"data_offsets":[0,4]}}""", data: 4),
    };

    private static IEnumerable<string> Names => Files.Keys;

    [Test]
    public void Is_refused_by_every_command(
        [ValueSource(nameof(Names))] string name, [Values("quantize", "dequantize", "inspect", "verify", "compare")] string command)
    {
        using var directory = new TemporaryDirectory();
        string file = directory["model.safetensors"];
        string output = directory["out"];
        File.WriteAllBytes(file, Files[name]);
        string[] arguments = command switch
        {
            "quantize" => [command, file, output, "--format", "nf4"],
            "dequantize" => [command, file, output],
            "compare" => [command, file, file],
            _ => [command, file],
        };

        ToolRun run = ToolRun.Of(arguments);

        Assert.That(run.ExitCode, Is.EqualTo(1), run.Error);
        Assert.That(run.Error.Trim().Split('\n'), Has.Length.EqualTo(1), run.Error);
        Assert.That(run.Error, Does.Not.Contain("internal error").And.Not.Contain("   at ").And.Not.Contain("\u001b"));
        Assert.That(Directory.Exists(output), Is.False);
    }

    [Test]
    public void An_index_that_points_outside_is_refused()
    {
        using var directory = new TemporaryDirectory();
        TinyCheckpoint.Write(directory["outside.safetensors"], [("a.weight", [64, 64])]);
        Directory.CreateDirectory(directory["model"]);
        string index = Path.Combine(directory["model"], "model.safetensors.index.json");
        File.WriteAllText(index, """{"metadata":{"total_size":8192},"weight_map":{"a.weight":"../outside.safetensors"}}""");

        ToolRun run = ToolRun.Of("inspect", index);

        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error.Trim().Split('\n'), Has.Length.EqualTo(1), run.Error);
    }

    [Test]
    public void Weights_that_are_not_finite_are_refused_and_leave_nothing()
    {
        using var directory = new TemporaryDirectory();
        string file = directory["model.safetensors"];
        TinyCheckpoint.Write(file, [("a.weight", [64, 64])]);
        byte[] bytes = File.ReadAllBytes(file);
        bytes.AsSpan(bytes.Length - 2).Fill(0xFF); // a not-a-number
        File.WriteAllBytes(file, bytes);

        ToolRun run = ToolRun.Of("quantize", file, directory["out"], "--format", "nf4");

        Assert.That(run.ExitCode, Is.EqualTo(1), run.Error);
        Assert.That(run.Error, Does.Contain("a.weight"));
        Assert.That(Directory.Exists(directory["out"]), Is.False);
    }

    [Test]
    public void Verify_reports_findings_as_json_too()
    {
        using var directory = new TemporaryDirectory();
        string file = directory["model.safetensors"];
        File.WriteAllBytes(file, Files["overlapping tensors"]);

        ToolRun run = ToolRun.Of("verify", file, "--json");

        Assert.That(run.ExitCode, Is.EqualTo(1));
        using var json = System.Text.Json.JsonDocument.Parse(run.Output);
        Assert.That(json.RootElement.GetProperty("passed").GetBoolean(), Is.False);
        Assert.That(json.RootElement.GetProperty("findings")[0].GetProperty("severity").GetString(), Is.EqualTo("error"));
    }

    [Test]
    public void Of_two_checkpoints_the_one_that_is_bad_is_named_as_it_was_given([Values] bool byIndex)
    {
        using var directory = new TemporaryDirectory();
        string good = TinyCheckpoint.WriteModel(directory["good"]);
        string bad = Path.GetRelativePath(Environment.CurrentDirectory, directory["bad"]);
        Directory.CreateDirectory(bad);
        File.WriteAllBytes(Path.Combine(bad, "model.safetensors"), Files["an array"]);
        string index = Path.Combine(bad, "model.safetensors.index.json");
        File.WriteAllText(index, """{"metadata":{"total_size":4},"weight_map":{"a":"model.safetensors"}}""");

        ToolRun run = ToolRun.Of("compare", good, byIndex ? index : bad);

        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error, Does.StartWith($"halfbyte: '{Path.Combine(bad, "model.safetensors")}', byte 8: "));
        Assert.That(ToolRun.Of("inspect", directory.Path).Error, Does.StartWith($"halfbyte: '{directory.Path}': the directory holds no checkpoint"));
    }

    [Test]
    public void Verify_says_each_thing_once()
    {
        using var directory = new TemporaryDirectory();
        string file = directory["model.safetensors"];
        File.WriteAllBytes(file, Files["an array"]);

        ToolRun run = ToolRun.Of("verify", file);

        Assert.That(run.Output, Does.StartWith($"error: safetensors.header-json: '{file}', byte 8: "));
        Assert.That(run.Output.Split("model.safetensors"), Has.Length.EqualTo(2), run.Output);
        Assert.That(run.Error.Trim(), Is.EqualTo($"halfbyte: '{file}' breaks the rule 'safetensors.header-json'."));
    }

    private static byte[] WithHeader(string header, long? length = null, int data = 0)
    {
        byte[] text = Encoding.UTF8.GetBytes(header);
        var file = new byte[8 + text.Length + data];
        BinaryPrimitives.WriteInt64LittleEndian(file, length ?? text.Length);
        text.CopyTo(file, 8);
        return file;
    }
}
