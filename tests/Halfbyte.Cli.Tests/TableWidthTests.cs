using Halfbyte.Checkpoints;
using Halfbyte.Cli.Bench;
using Halfbyte.Cli.Commands;
using Halfbyte.Cli.Demo;
using Halfbyte.Cli.Reports;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Tests;

/// <summary>Every table fits in 80 columns with the names, shapes and sizes of a large model.</summary>
public class TableWidthTests
{
    private const string Attention = "model.layers.47.self_attn.q_proj.weight";
    private const string Norm = "model.layers.47.post_attention_layernorm.weight";

    private static readonly long[] Shape = [14336, 4096];

    [TestCase("model.layers.*.mlp.up_proj.weight", "model.layers.*.mlp.up_proj")]
    [TestCase("lm_head.weight", "lm_head")]
    [TestCase("model.layers.*.self_attn.q_proj.weight", "..layers.*.self_attn.q_proj")]
    [TestCase("model.layers.*.post_attention_layernorm.weight", "..*.post_attention_layernorm")]
    [TestCase("a_name_of_one_part_that_is_as_long_as_a_sentence", "..t_is_as_long_as_a_sentence")]
    [TestCase(".weight", ".weight")]
    public void Names_keep_their_last_parts(string name, string expected)
    {
        Assert.That(LayerKind.Short(name), Is.EqualTo(expected));
        Assert.That(expected, Has.Length.LessThanOrEqualTo(28));
    }

    [Test]
    public void Of_a_conversion()
    {
        string[] reasons = ["skipped: lm_head", "output embedding", "1-D"];
        ConvertedTensor[] tensors =
        [
            new(Attention, Shape, "bfloat16", "nf4", 117_440_512, 31_000_000, null),
            .. reasons.Select(reason => new ConvertedTensor(Norm, Shape, "bfloat16", "bfloat16", 1_000_000_000, 1_000_000_000, reason)),
        ];

        AssertFits(ConversionView.Kinds(new ConversionReport
        {
            Input = "",
            Output = "",
            Target = "nf4",
            Tensors = tensors,
            ConvertedCount = 1,
            PassedThroughCount = 3,
            InputBytes = 1,
            OutputBytes = 1,
            Files = [],
            Warnings = [],
            Seconds = 1,
        }));
    }

    [Test]
    public void Of_a_comparison()
    {
        ComparedTensor[] tensors = [new(Attention, "bfloat16", Shape, 0.1149, 0.004411, 0.993, 18.8, false), new(Norm, "nf4", Shape, 1e-5, 1e-5, 1, 100, false)];

        AssertFits(ComparisonView.ByKind(tensors));
        AssertFits(ComparisonView.Worst(tensors));
    }

    [Test]
    public void Of_the_demo()
    {
        DemoKind[] kinds =
        [
            .. new DemoModel(1).Tensors.Select(tensor => new DemoKind(LayerKind.Of(tensor.Name), tensor.Shape, 48, 1, 4.127, 0.0358, 0.0386, 123.45)),
        ];
        var format = new DemoFormat("nf4+dq", 1_000_000_000, 1_000_000_000, 4.127, 3599, 1_000_000_000, 1_000_000_000, 3599, 0.0385, 0.15, kinds);
        var report = new DemoReport("", 48, 1, 1, 1, [format], true, [], 1);

        AssertFits(DemoView.Formats(report));
        AssertFits(DemoView.Kinds(report));
    }

    [Test]
    public void Of_a_measurement() => AssertFits(BenchCommand.Draw(
        [.. BenchCase.All.Select(one => new BenchRow(one.Name, 1510, one.Name.Contains("M=") ? "GFLOP/s" : "GB/s", "", 8.04, null))]));

    private static void AssertFits(Grid grid)
    {
        using var text = new StringWriter();
        grid.WritePlain(text);
        Assert.That(grid.Rows, Is.Not.Empty);
        Assert.That(grid.PlainWidth, Is.LessThanOrEqualTo(80), text.ToString());
    }
}
