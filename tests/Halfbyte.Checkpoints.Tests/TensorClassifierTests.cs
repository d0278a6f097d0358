namespace Halfbyte.Checkpoints.Tests;

/// <summary>The names of real models, as their files have them, must be told apart without their Python classes.</summary>
[TestFixture]
internal sealed class TensorClassifierTests
{
    private const TensorKind Linear = TensorKind.Linear;
    private const TensorKind Head = TensorKind.OutputEmbedding;
    private const TensorKind Table = TensorKind.Embedding;
    private const TensorKind Norm = TensorKind.Norm;
    private const TensorKind Conv = TensorKind.Convolution;
    private const TensorKind Bias = TensorKind.Bias;
    private const TensorKind Other = TensorKind.Other;

    private static readonly object[] Models =
    [
        new object[]
        {
            "Magma-8B", new (string, long[], TensorKind)[]
            {
                ("language_model.model.embed_tokens.weight", [128261, 4096], Table),
                ("language_model.model.layers.0.input_layernorm.weight", [4096], Norm),
                ("language_model.model.layers.0.self_attn.q_proj.weight", [4096, 4096], Linear),
                ("language_model.model.layers.0.self_attn.k_proj.weight", [1024, 4096], Linear),
                ("language_model.model.layers.0.self_attn.v_proj.weight", [1024, 4096], Linear),
                ("language_model.model.layers.0.self_attn.o_proj.weight", [4096, 4096], Linear),
                ("language_model.model.layers.0.mlp.gate_proj.weight", [14336, 4096], Linear),
                ("language_model.model.layers.0.mlp.up_proj.weight", [14336, 4096], Linear),
                ("language_model.model.layers.0.mlp.down_proj.weight", [4096, 14336], Linear),
                ("language_model.model.norm.weight", [4096], Norm),
                ("language_model.lm_head.weight", [128261, 4096], Head),
                ("vision_tower.clip_vision_model.trunk.stem.0.weight", [384, 3, 4, 4], Conv),
                ("vision_tower.clip_vision_model.trunk.stem.0.bias", [384], Bias),
                ("vision_tower.clip_vision_model.trunk.stem.1.weight", [384], Norm),
                ("vision_tower.clip_vision_model.trunk.stages.0.blocks.0.gamma", [384], Other),
                ("vision_tower.clip_vision_model.trunk.stages.0.blocks.0.conv_dw.weight", [384, 1, 7, 7], Conv),
                ("vision_tower.clip_vision_model.trunk.stages.0.blocks.0.norm.weight", [384], Norm),
                ("vision_tower.clip_vision_model.trunk.stages.0.blocks.0.mlp.fc1.weight", [1536, 384], Linear),
                ("vision_tower.clip_vision_model.trunk.stages.0.blocks.0.mlp.fc2.weight", [384, 1536], Linear),
                ("vision_tower.clip_vision_model.trunk.stages.1.downsample.1.weight", [768, 384, 2, 2], Conv),
                ("vision_tower.clip_vision_model.head.proj.weight", [1024, 3072], Linear),
                ("multi_modal_projector.proj.0.weight", [4096, 3072], Linear),
                ("multi_modal_projector.proj.2.weight", [4096, 4096], Linear),
                ("multi_modal_projector.row_seperator", [1, 1, 4096], Other),
            },
        },
        new object[]
        {
            "MiniCPM-Llama3-V-2.5", new (string, long[], TensorKind)[]
            {
                ("llm.model.embed_tokens.weight", [128256, 4096], Table),
                ("llm.model.layers.31.mlp.down_proj.weight", [4096, 14336], Linear),
                ("llm.model.norm.weight", [4096], Norm),
                ("llm.lm_head.weight", [128256, 4096], Head),
                ("vpm.embeddings.patch_embedding.weight", [1152, 3, 14, 14], Conv),
                ("vpm.embeddings.patch_embedding.bias", [1152], Bias),
                ("vpm.embeddings.position_embedding.weight", [4900, 1152], Table),
                ("vpm.encoder.layers.0.self_attn.q_proj.weight", [1152, 1152], Linear),
                ("vpm.encoder.layers.0.self_attn.out_proj.weight", [1152, 1152], Linear),
                ("vpm.encoder.layers.0.mlp.fc1.weight", [4304, 1152], Linear),
                ("vpm.encoder.layers.0.mlp.fc2.weight", [1152, 4304], Linear),
                ("vpm.encoder.layers.0.layer_norm1.weight", [1152], Norm),
                ("vpm.post_layernorm.weight", [1152], Norm),
                ("resampler.query", [96, 4096], Other),
                ("resampler.proj", [4096, 4096], Other),
                ("resampler.kv_proj.weight", [4096, 1152], Linear),
                ("resampler.attn.in_proj_weight", [12288, 4096], Other),
                ("resampler.attn.in_proj_bias", [12288], Bias),
                ("resampler.attn.out_proj.weight", [4096, 4096], Linear),
                ("resampler.ln_q.weight", [4096], Norm),
                ("resampler.ln_post.bias", [4096], Bias),
            },
        },
        new object[]
        {
            "CogVLM and CogVLM2", new (string, long[], TensorKind)[]
            {
                ("model.embed_tokens.weight", [32000, 4096], Table),
                ("model.layers.0.self_attn.vision_expert_query_key_value.weight", [12288, 4096], Linear),
                ("model.layers.0.self_attn.vision_expert_query_key_value.bias", [12288], Bias),
                ("model.layers.0.self_attn.vision_expert_dense.weight", [4096, 4096], Linear),
                ("model.layers.0.mlp.vision_mlp.gate_proj.weight", [11008, 4096], Linear),
                ("model.layers.0.self_attn.language_expert_query_key_value.weight", [12288, 4096], Linear),
                ("model.layers.0.self_attn.language_expert_dense.weight", [4096, 4096], Linear),
                ("model.layers.0.mlp.language_mlp.down_proj.weight", [4096, 11008], Linear),
                ("model.layers.0.input_layernorm.weight", [4096], Norm),
                ("model.layers.0.self_attn.rotary_emb.inv_freq", [64], Other),
                ("model.vision.patch_embedding.proj.weight", [1792, 3, 14, 14], Conv),
                ("model.vision.patch_embedding.cls_embedding", [1, 1792], Other),
                ("model.vision.patch_embedding.position_embedding.weight", [1226, 1792], Table),
                ("model.vision.transformer.layers.0.attention.query_key_value.weight", [5376, 1792], Linear),
                ("model.vision.transformer.layers.0.attention.dense.weight", [1792, 1792], Linear),
                ("model.vision.transformer.layers.0.mlp.fc1.weight", [15360, 1792], Linear),
                ("model.vision.transformer.layers.0.input_layernorm.weight", [1792], Norm),
                ("model.vision.conv.weight", [1792, 1792, 2, 2], Conv),
                ("model.vision.linear_proj.linear_proj.weight", [4096, 1792], Linear),
                ("model.vision.linear_proj.norm1.weight", [4096], Norm),
                ("model.vision.linear_proj.dense_h_to_4h.weight", [11008, 4096], Linear),
                ("model.vision.linear_proj.gate_proj.weight", [11008, 4096], Linear),
                ("model.vision.linear_proj.dense_4h_to_h.weight", [4096, 11008], Linear),
                ("model.vision.boi", [1, 1, 4096], Other),
                ("model.vision.eoi", [1, 1, 4096], Other),
                ("lm_head.weight", [32000, 4096], Head),
            },
        },
        new object[]
        {
            "InternLM3 and other Llama layouts", new (string, long[], TensorKind)[]
            {
                ("model.embed_tokens.weight", [128512, 4096], Table),
                ("model.layers.47.self_attn.k_proj.weight", [256, 4096], Linear),
                ("model.layers.47.self_attn.q_proj.bias", [4096], Bias),
                ("model.layers.47.self_attn.q_norm.weight", [128], Norm),
                ("model.layers.47.mlp.gate_proj.weight", [10240, 4096], Linear),
                ("model.layers.47.post_attention_layernorm.weight", [4096], Norm),
                ("model.norm.weight", [4096], Norm),
                ("lm_head.weight", [128512, 4096], Head),
            },
        },
        new object[]
        {
            "Qwen-7B", new (string, long[], TensorKind)[]
            {
                ("transformer.wte.weight", [151936, 4096], Table),
                ("transformer.h.0.ln_1.weight", [4096], Norm),
                ("transformer.h.0.attn.c_attn.weight", [12288, 4096], Linear),
                ("transformer.h.0.attn.c_attn.bias", [12288], Bias),
                ("transformer.h.0.attn.c_proj.weight", [4096, 4096], Linear),
                ("transformer.h.0.mlp.w1.weight", [11008, 4096], Linear),
                ("transformer.h.0.mlp.w2.weight", [11008, 4096], Linear),
                ("transformer.h.0.mlp.c_proj.weight", [4096, 11008], Linear),
                ("transformer.ln_f.weight", [4096], Norm),
                ("lm_head.weight", [151936, 4096], Head),
            },
        },
        new object[]
        {
            "MAGMA of 2021", new (string, long[], TensorKind)[]
            {
                ("lm.transformer.wte.weight", [50258, 4096], Table),
                ("lm.transformer.h.0.attn.attention.out_proj.weight", [4096, 4096], Linear),
                ("lm.transformer.h.0.mlp.0.c_fc.weight", [16384, 4096], Linear),
                ("lm.transformer.h.0.mlp.1.adapter.0.weight", [1024, 4096], Linear),
                ("lm.lm_head.weight", [50258, 4096], Head),
                ("lm.lm_head.bias", [50258], Bias),
                ("image_prefix.enc.layer1.0.conv1.weight", [96, 96, 1, 1], Conv),
                ("image_prefix.enc.bn1.weight", [48], Norm),
                ("image_prefix.enc.bn1.running_mean", [48], Other),
                ("image_prefix.proj.weight", [4096, 3072], Linear),
            },
        },
        new object[]
        {
            "A GPTQ checkpoint passes through", new (string, long[], TensorKind)[]
            {
                ("transformer.h.0.attn.c_attn.qweight", [512, 12288], Other),
                ("transformer.h.0.attn.c_attn.qzeros", [32, 1536], Other),
                ("transformer.h.0.attn.c_attn.scales", [32, 12288], Other),
                ("transformer.h.0.attn.c_attn.g_idx", [4096], Other),
            },
        },
        new object[]
        {
            "Names of other families", new (string, long[], TensorKind)[]
            {
                ("gpt_neox.embed_in.weight", [50432, 4096], Table),
                ("embed_out.weight", [50432, 4096], Head),
                ("model.tok_embeddings.weight", [92544, 4096], Table),
                ("output.weight", [92544, 4096], Head),
                ("transformer.embedding.word_embeddings.weight", [65024, 4096], Table),
                ("transformer.output_layer.weight", [65024, 4096], Head),
                ("shared.weight", [32128, 768], Table),
                ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", [32, 12], Table),
                ("encoder.block.0.layer.1.DenseReluDense.wo.weight", [768, 2048], Linear),
                ("decoder.embed_tokens.0.weight", [2049, 1024], Table),
                ("lm_heads.3.weight", [2048, 1024], Head),
                ("encoder.embedding_hidden_mapping_in.weight", [768, 128], Linear),
                ("bert.embeddings.token_type_embeddings.weight", [2, 768], Table),
                ("bert.encoder.layer.0.attention.output.dense.weight", [768, 768], Linear),
                ("bert.encoder.layer.0.output.LayerNorm.weight", [768], Norm),
                ("model.layers.0.self_attn.q_norm.weight", [32, 128], Norm),
                ("x_embedder.weight", [3072, 64], Linear),
                ("time_embedding.linear_1.weight", [1280, 320], Linear),
                ("model.layers.0.block_sparse_moe.experts.7.w1.weight", [14336, 4096], Linear),
                ("model.layers.0.block_sparse_moe.gate.weight", [8, 4096], Linear),
                ("model.layers.0.mlp.experts.gate_up_proj", [8, 4096, 14336], Other),
                ("model.layers.3.mlp.gate.weight", [256, 7168], Other),
                ("model.layers.3.mlp.gate.e_score_correction_bias", [256], Bias),
                ("classifier.head.weight", [10, 768], Linear),
                ("score.weight", [2, 4096], Linear),
                (".weight", [4, 4], Other),
                ("weight", [4, 4], Other),
            },
        },
    ];

    [TestCaseSource(nameof(Models))]
    public void Names_and_shapes_tell_what_a_tensor_is(string model, (string Name, long[] Shape, TensorKind Kind)[] tensors)
    {
        TensorClassifier classifier = new(tensors.Select(t => new SafetensorsEntry(t.Name, SafetensorsDType.BF16, t.Shape)));
        using (Assert.EnterMultipleScope())
        {
            foreach ((string name, long[] shape, TensorKind kind) in tensors)
            {
                Assert.That(classifier.Classify(name, shape), Is.EqualTo(kind), $"{model}: {name}");
            }
        }
    }

    [Test]
    public void The_skip_list_of_the_official_minicpm_checkpoint_leaves_what_its_file_shows()
    {
        SkipRules rules = new(["out_proj", "kv_proj", "lm_head"]);
        string[] kept =
        [
            "llm.lm_head", "resampler.kv_proj", "resampler.attn.out_proj", .. Enumerable.Range(0, 27).Select(i => $"vpm.encoder.layers.{i}.self_attn.out_proj"),
        ];
        string[] all =
        [
            .. kept,
            .. Enumerable.Range(0, 32).SelectMany(i => new[] { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj" }
                .Select(m => $"llm.model.layers.{i}.{m}")),
            .. Enumerable.Range(0, 27).SelectMany(i => new[] { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.fc1", "mlp.fc2" }
                .Select(m => $"vpm.encoder.layers.{i}.{m}")),
        ];
        Assert.That(all.Where(m => rules.Match(m) is not null), Is.EquivalentTo(kept));
        Assert.That(all.Count(m => rules.Match(m) is null), Is.EqualTo(359));
    }
}
