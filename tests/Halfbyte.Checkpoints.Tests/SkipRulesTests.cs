namespace Halfbyte.Checkpoints.Tests;

/// <summary>The skip list has transformers' semantics.</summary>
[TestFixture]
internal sealed class SkipRulesTests
{
    [TestCase("out_proj", "resampler.attn.out_proj", true, TestName = "Leaf name")]
    [TestCase("out_proj", "out_proj", true, TestName = "Full name of one part")]
    [TestCase("lm_head", "language_model.lm_head", true, TestName = "Leaf below a prefix")]
    [TestCase("model.layers.0.mlp.fc1", "model.layers.0.mlp.fc1", true, TestName = "Full name")]
    [TestCase("vision_tower", "model.vision_tower.blocks.0.fc1", true, TestName = "Component inside")]
    [TestCase("model.layers.1", "model.layers.1.mlp.fc1", true, TestName = "Dotted prefix")]
    [TestCase("layers.1", "model.layers.1.mlp.fc1", true, TestName = "Dotted part inside")]
    [TestCase("model.layers.1", "model.layers.10.mlp.fc1", false, TestName = "No half a number")]
    [TestCase("out_proj", "layout_proj", false, TestName = "No half a leaf")]
    [TestCase("proj", "q_proj", false, TestName = "No tail of a leaf")]
    [TestCase("mm_projector", "multi_modal_projector.proj.0", false, TestName = "No likeness")]
    [TestCase("attn.out_proj", "resampler.attn.out_proj", false, TestName = "No dotted tail, as in transformers 4")]
    [TestCase("multi_modal_projector", "multi_modal_projector.proj.0", true, TestName = "Module above")]
    public void Matches(string entry, string module, bool expected)
    {
        SkipRules rules = new([entry]);
        Assert.That(rules.Match(module), Is.EqualTo(expected ? entry : null));
        Assert.That(rules.Unmatched, expected ? Is.Empty : Is.EqualTo(new[] { entry }));
    }

    [Test]
    public void An_entry_that_matches_nothing_is_warned_about_with_a_suggestion()
    {
        using TestDirectory directory = new();
        byte[] weight = RawFile.BFloats(RawFile.Weights(64 * 32, 1));
        File.WriteAllBytes(directory["model.safetensors"], RawFile.Of(
            ("multi_modal_projector.proj.0.weight", "BF16", [64, 32], weight),
            ("model.embed_tokens.weight", "BF16", [64, 32], weight),
            ("lm_head.weight", "BF16", [64, 32], weight)));
        ConversionReport report = CheckpointQuantizer.Quantize(
            directory["model.safetensors"], directory["out"], new QuantizeOptions { Skip = ["mm_projector", "embed_tokens", "lm_head"] });
        Assert.That(report.Warnings, Has.Some.Contains("'mm_projector' matches no layer").And.Some.Contains("Did you mean 'multi_modal_projector'?"));
        Assert.That(report.Warnings, Has.Some.Contains("'embed_tokens' matches only layers that are never quantized"));
        Assert.That(report.Warnings, Has.None.Contains("'lm_head'"));
        Assert.That(report.ConvertedCount, Is.EqualTo(1));
    }

    [Test]
    public void A_list_replaces_the_default()
    {
        using TestDirectory directory = new();
        TinyModel.Write(directory["in"]);
        ConversionReport standard = CheckpointQuantizer.Quantize(directory["in"], directory["a"]);
        ConversionReport replaced = CheckpointQuantizer.Quantize(directory["in"], directory["b"], new QuantizeOptions { Skip = ["q_proj"] });
        ConversionReport none = CheckpointQuantizer.Quantize(directory["in"], directory["c"], new QuantizeOptions { Skip = [] });
        using (Assert.EnterMultipleScope())
        {
            Assert.That(standard.Tensors.Single(t => t.Name == "lm_head.weight").Reason, Is.EqualTo("skipped: lm_head"));
            Assert.That(replaced.Tensors.Single(t => t.Name == "lm_head.weight").Reason, Is.Null);
            Assert.That(replaced.Tensors.Single(t => t.Name.EndsWith("q_proj.weight", StringComparison.Ordinal)).Reason, Is.EqualTo("skipped: q_proj"));
            Assert.That(replaced.Warnings, Has.Some.Contains("'lm_head' will be quantized"));
            Assert.That(none.ConvertedCount, Is.EqualTo(5));
            Assert.That(File.ReadAllText(directory["c/config.json"]), Does.Contain("\"llm_int8_skip_modules\": []"));
            Assert.That(File.ReadAllText(directory["b/config.json"]), Does.Contain("\"llm_int8_skip_modules\": [\n      \"q_proj\"\n    ]"));
        }
    }

    [TestCase("{\"tie_word_embeddings\": true}", "null", TestName = "Tied embeddings")]
    [TestCase("{\"tie_word_embeddings\": false}", "[\n      \"lm_head\"\n    ]", TestName = "No output embedding")]
    [TestCase("{}", "[\n      \"lm_head\"\n    ]", TestName = "No output embedding and no word about it")]
    public void Without_an_output_embedding_the_configuration_says_what_was_done(string config, string expected)
    {
        using TestDirectory directory = new();
        byte[] weight = RawFile.BFloats(RawFile.Weights(64 * 32, 1));
        Directory.CreateDirectory(directory["in"]);
        File.WriteAllText(directory["in/config.json"], config);
        File.WriteAllBytes(directory["in/model.safetensors"], RawFile.Of(("wte.weight", "BF16", [64, 32], weight), ("fc.weight", "BF16", [64, 32], weight)));
        CheckpointQuantizer.Quantize(directory["in"], directory["out"]);
        Assert.That(File.ReadAllText(directory["out/config.json"]), Does.Contain("\"llm_int8_skip_modules\": " + expected));
    }

    [TestCase("vision", "write 'model.vision'", TestName = "Inside a name")]
    [TestCase("proj", "does not keep 'model.layers.0.self_attn.q_proj'", TestName = "Tail of a leaf")]
    [TestCase("model.vision", null, TestName = "Dotted prefix, the same in both")]
    [TestCase("q_proj", null, TestName = "Leaf, the same in both")]
    [TestCase("(a+)+$", null, TestName = "An explosive expression")]
    [TestCase("[", null, TestName = "No expression at all")]
    public void Entries_that_transformers_5_matches_otherwise_are_warned_about(string entry, string? warning)
    {
        using TestDirectory directory = new();
        ConversionReport report = CheckpointQuantizer.Quantize(
            TinyModel.Write(directory["in"]), directory["out"], new QuantizeOptions { Skip = [entry, "lm_head"], DryRun = true });
        Assert.That(report.Warnings.Where(w => w.Contains("transformers 5", StringComparison.Ordinal)), warning is null ? Is.Empty : Has.One.Contains(warning));
    }

    [Test]
    public void The_output_projection_of_a_multihead_attention_is_warned_about()
    {
        using TestDirectory directory = new();
        byte[] weight = RawFile.BFloats(RawFile.Weights(64 * 32, 1));
        File.WriteAllBytes(directory["model.safetensors"], RawFile.Of(
            ("resampler.attn.in_proj_weight", "BF16", [64, 32], weight),
            ("resampler.attn.out_proj.weight", "BF16", [64, 32], weight),
            ("vpm.attn.out_proj.weight", "BF16", [64, 32], weight)));
        ConversionReport report = CheckpointQuantizer.Quantize(directory["model.safetensors"], directory["a"]);
        Assert.That(report.Warnings, Has.One.Contains("'resampler.attn.out_proj' belongs to a torch.nn.MultiheadAttention"));
        ConversionReport skipped = CheckpointQuantizer.Quantize(
            directory["model.safetensors"], directory["b"], new QuantizeOptions { Skip = ["resampler"] });
        Assert.That(skipped.Warnings, Has.None.Contains("MultiheadAttention"));
    }
}
