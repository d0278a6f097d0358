using System.Text.Json;

using Halfbyte.Cli.Demo;

namespace Halfbyte.Cli.Tests;

public class DemoTests
{
    [Test]
    public void The_model_has_the_true_names_and_shapes()
    {
        var model = new DemoModel(layers: 48);

        Assert.That(model.Tensors, Has.Count.EqualTo(435));
        Assert.That(model.Tensors.Single(tensor => tensor.Name == "model.layers.47.mlp.down_proj.weight").Shape, Is.EqualTo(new long[] { 4096, 10240 }));
        Assert.That(model.Tensors.Single(tensor => tensor.Name == "model.layers.0.self_attn.k_proj.weight").Shape, Is.EqualTo(new long[] { 256, 4096 }));
        Assert.That(
            model.Tensors.Where(tensor => tensor.Name.StartsWith("model.layers.", StringComparison.Ordinal)).Sum(tensor => tensor.Elements) + 4096,
            Is.EqualTo(7_751_471_104), "the parameters of the layers and the last norm");
        Assert.That(model.LargestTensorBytes, Is.EqualTo(2L * 10240 * 4096));
    }

    [Test]
    public void Weights_are_the_same_however_they_are_cut()
    {
        DemoTensor tensor = new DemoModel(1).Tensors.First(one => one.Name.EndsWith("q_proj.weight", StringComparison.Ordinal));
        var whole = new BFloat16[8 * 4096];
        var parts = new BFloat16[8 * 4096];

        SyntheticWeights.Fill(whole, 0, tensor);
        SyntheticWeights.Fill(parts.AsSpan(0, 3 * 4096), 0, tensor);
        SyntheticWeights.Fill(parts.AsSpan(3 * 4096), 3, tensor);

        Assert.That(parts, Is.EqualTo(whole));
    }

    [Test]
    public void Weights_have_heavy_tails_and_outlier_channels()
    {
        DemoTensor tensor = new DemoModel(1).Tensors.First(one => one.Name.EndsWith("q_proj.weight", StringComparison.Ordinal));
        var weights = new BFloat16[256 * 4096];
        SyntheticWeights.Fill(weights, 0, tensor);

        double[] byColumn = new double[4096];
        for (int i = 0; i < weights.Length; i++)
        {
            byColumn[i % 4096] += (double)weights[i] * (double)weights[i] / 256;
        }

        double ordinary = byColumn.Order().ElementAt(2048);
        int outliers = byColumn.Count(variance => variance > 16 * ordinary);
        double[] plain = [.. weights.Where((_, i) => byColumn[i % 4096] <= 16 * ordinary).Select(value => (double)value)];
        double variance = plain.Average(value => value * value);
        double kurtosis = plain.Average(value => value * value * value * value) / (variance * variance);

        Assert.That(outliers, Is.EqualTo(8));
        Assert.That(Math.Sqrt(variance), Is.EqualTo(0.02).Within(0.001));
        Assert.That(kurtosis, Is.GreaterThan(4.5), "3 is a bell");
    }

    [Test]
    public void What_is_there_already_is_left_alone([Values] bool isFile)
    {
        using var directory = new TemporaryDirectory();
        string taken = directory["taken"];
        if (!isFile)
        {
            Directory.CreateDirectory(taken);
        }

        string file = isFile ? taken : Path.Combine(taken, "original");
        File.WriteAllText(file, "mine");

        ToolRun run = ToolRun.Of("demo", "--dir", taken);

        Assert.That(run.ExitCode, Is.EqualTo(2), run.Error);
        Assert.That(run.Error, Does.StartWith($"halfbyte: '{taken}' is not an empty directory").And.Contain("--dir"));
        Assert.That(run.Output, Is.Empty);
        Assert.That(File.ReadAllText(file), Is.EqualTo("mine"));
    }

    [Test]
    public void The_demo_runs_through_and_keeps_its_bounds()
    {
        using var directory = new TemporaryDirectory();

        ToolRun run = ToolProcess.Run(null, "demo", "--layers", "1", "--dir", directory["demo"], "--json");

        JsonElement json = run.Json();
        Assert.That(json.GetProperty("passed").GetBoolean(), Is.True);
        Assert.That(json.GetProperty("formats").EnumerateArray().Select(format => format.GetProperty("format").GetString()), Is.EqualTo(new[] { "nf4+dq", "int8" }));
        foreach (JsonElement format in json.GetProperty("formats").EnumerateArray())
        {
            Assert.That(format.GetProperty("peak_resident_bytes").GetInt64(), Is.LessThanOrEqualTo(format.GetProperty("peak_bound_bytes").GetInt64()));
            Assert.That(format.GetProperty("kinds").GetArrayLength(), Is.EqualTo(7));
        }

        Assert.That(
            JsonNamesTests.Names(json).Order(StringComparer.Ordinal),
            Is.EqualTo((
                "directory failures formats formats.bits_per_weight formats.bytes_after formats.bytes_before formats.error_bound formats.format "
                + "formats.kinds formats.kinds.bits_per_weight formats.kinds.count formats.kinds.elements formats.kinds.forward_milliseconds "
                + "formats.kinds.kind formats.kinds.product_error formats.kinds.shape formats.kinds.weight_error formats.peak_bound_bytes "
                + "formats.peak_resident_bytes formats.quantize_seconds formats.relative_error formats.verify_seconds largest_tensor_bytes layers "
                + "parameters passed seconds write_seconds").Split(' ')));
        Assert.That(ToolRun.Of("verify", Path.Combine(directory["demo"], "nf4")).ExitCode, Is.Zero);
    }
}
