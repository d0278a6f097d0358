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

    [TestCase("{\"tie_word_embeddings\": true}", TestName = "Tied embeddings")]
    [TestCase("{\"tie_word_embeddings\": false}", TestName = "No output embedding")]
    [TestCase("{}", TestName = "No output embedding and no word about it")]
    public void Without_a_stored_output_embedding_the_usual_name_is_listed(string config)
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Listed(config, null, ("wte", "BF16"), ("fc", "BF16")).List, Is.EqualTo(new[] { "lm_head" }));
            Assert.That(Listed(config, ["up"], ("wte", "BF16"), ("fc", "BF16"), ("up", "BF16")).List, Is.EqualTo(new[] { "up", "lm_head" }));
            Assert.That(Listed(config, ["lm_head"], ("wte", "BF16"), ("fc", "BF16")).List, Is.EqualTo(new[] { "lm_head" }));
        }
    }

    [TestCase("lm_head", "lm_head")]
    [TestCase("language_model.lm_head", "lm_head")]
    [TestCase("transformer.output_layer", "transformer.output_layer")]
    [TestCase("lm_heads.0", "lm_heads.0")]
    public void The_output_embedding_is_listed(string module, string entry) =>
        Assert.That(Listed("{}", null, ("wte", "BF16"), ("fc", "BF16"), (module, "BF16")).List, Is.EqualTo(new[] { entry }));

    [TestCase("model.fc2", "F64", true, TestName = "A foreign type")]
    [TestCase("model.fc2", "F8_E4M3", true, TestName = "A foreign type of 8 bits")]
    [TestCase("model.fc2", "I8", false, TestName = "Integers")]
    [TestCase("model.pos_embed", "BF16", true, TestName = "An embedding by a word in its name")]
    [TestCase("model.embed_tokens.0", "BF16", true, TestName = "A numbered embedding")]
    [TestCase("model.q_norm", "BF16", true, TestName = "A norm of two dimensions")]
    [TestCase("lm_head.pos_embed", "BF16", false, TestName = "Below an entry")]
    [TestCase("model.embed_tokens", "BF16", false, TestName = "Surely an embedding: embed_tokens")]
    [TestCase("model.tok_embeddings", "F64", false, TestName = "Surely an embedding: tok_embeddings")]
    public void A_layer_that_is_never_quantized_is_listed_by_its_full_name(string module, string dtype, bool listed)
    {
        (string[] list, string[] quantized) = Listed("{}", null, ("lm_head", "BF16"), ("model.fc", "BF16"), (module, dtype));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(list, Is.EqualTo(listed ? new[] { "lm_head", module } : ["lm_head"]));
            Assert.That(quantized, Is.EqualTo(new[] { "model.fc.weight" }));
        }
    }

    [Test]
    public void An_empty_layer_is_listed()
    {
        using TestDirectory directory = new();
        Directory.CreateDirectory(directory["in"]);
        File.WriteAllText(directory["in/config.json"], "{}");
        File.WriteAllBytes(directory["in/model.safetensors"], RawFile.Of(
            ("fc.weight", "BF16", [64, 32], RawFile.BFloats(RawFile.Weights(64 * 32, 1))), ("model.none.weight", "BF16", [0, 32], [])));
        CheckpointQuantizer.Quantize(directory["in"], directory["out"]);
        Assert.That(ModelConfig.Load(directory["out/config.json"]).Quantization!.SkipModules, Is.EqualTo(new[] { "lm_head", "model.none" }));
    }

    [Test]
    public void A_listed_name_keeps_the_layers_that_it_also_matches()
    {
        (string[] list, string[] quantized) = Listed("{}", null, ("lm_head", "BF16"), ("shared", "BF16"), ("mlp.shared.up", "BF16"), ("mlp.down", "BF16"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(list, Is.EqualTo(new[] { "lm_head", "shared" }));
            Assert.That(quantized, Is.EqualTo(new[] { "mlp.down.weight" }));
        }
    }

    [TestCase("model.layers.0.mlp.gate", "model.layers.0.mlp.experts.0.up_proj", true)]
    [TestCase("model.layers.0.feed_forward.router", "model.layers.0.feed_forward.experts.0.up_proj", true)]
    [TestCase("gate", "experts.0.up_proj", true)]
    [TestCase("model.layers.0.mlp.gate", "model.layers.1.mlp.experts.0.up_proj", false)]
    [TestCase("model.layers.0.mlp.gate_proj", "model.layers.0.mlp.experts.0.up_proj", false)]
    public void A_router_beside_its_experts_is_kept_and_listed(string module, string expert, bool router)
    {
        (string[] list, string[] quantized) = Listed("{}", null, ("lm_head", "BF16"), (module, "BF16"), (expert, "BF16"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(list, Is.EqualTo(router ? new[] { "lm_head", module } : ["lm_head"]));
            Assert.That(quantized, Is.EquivalentTo(router ? new[] { expert + ".weight" } : [module + ".weight", expert + ".weight"]));
        }
    }

    [TestCase("t5", "decoder.block.0.layer.2.DenseReluDense.wo", "wo")]
    [TestCase("mt5", "decoder.block.0.layer.2.DenseReluDense.wo", "wo")]
    [TestCase("umt5", "decoder.block.0.layer.2.DenseReluDense.wo", "wo")]
    [TestCase("blip-2", "qformer.encoder.layer.0.output.dense", "query_tokens,qformer")]
    [TestCase("instructblip", "qformer.encoder.layer.0.output.dense", "query_tokens,qformer")]
    [TestCase("llama", "decoder.block.0.layer.2.DenseReluDense.wo", "")]
    public void What_the_class_keeps_in_float32_is_kept_and_listed(string type, string module, string components)
    {
        string[] added = components.Split(',', StringSplitOptions.RemoveEmptyEntries);
        foreach (string entry in new[] { "lm_head", "up" })
        {
            (string[] list, string[] quantized) = Listed(
                $"{{\"model_type\": \"{type}\"}}", [entry], ("lm_head", "BF16"), (module, "BF16"), ("up", "BF16"), ("down", "BF16"));
            using (Assert.EnterMultipleScope())
            {
                Assert.That(list, Is.EqualTo(added.Prepend(entry)));
                Assert.That(quantized.Contains(module + ".weight"), Is.EqualTo(added.Length == 0));
                Assert.That(quantized, Does.Contain("down.weight"));
            }
        }
    }

    /// <summary>What config.json lists, and which weights were quantized, for modules with a weight of two dimensions.</summary>
    private static (string[] List, string[] Quantized) Listed(string config, string[]? skip, params (string Module, string DType)[] modules)
    {
        using TestDirectory directory = new();
        Directory.CreateDirectory(directory["in"]);
        File.WriteAllText(directory["in/config.json"], config);
        File.WriteAllBytes(directory["in/model.safetensors"], RawFile.Of([.. modules.Select(m =>
        {
            int size = m.DType switch { "F64" => 8, "BF16" => 2, _ => 1 };
            byte[] data = m.DType == "BF16" ? RawFile.BFloats(RawFile.Weights(64 * 32, 1)) : new byte[64 * 32 * size];
            return (m.Module + ".weight", m.DType, new long[] { 64, 32 }, data);
        })]));
        ConversionReport report = CheckpointQuantizer.Quantize(directory["in"], directory["out"], new QuantizeOptions { Skip = skip });
        string[] list = [.. ModelConfig.Load(directory["out/config.json"]).Quantization!.SkipModules!];
        return (list, [.. report.Tensors.Where(t => t.Reason is null).Select(t => t.Name)]);
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
