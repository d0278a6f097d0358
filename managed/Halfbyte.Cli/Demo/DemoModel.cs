namespace Halfbyte.Cli.Demo;

/// <summary>What a tensor of the demo's model is for; it decides how its numbers look.</summary>
internal enum DemoRole
{
    Linear,
    Embedding,
    Norm,
}

/// <summary>A tensor of the demo's model.</summary>
internal sealed record DemoTensor(string Name, long[] Shape, DemoRole Role)
{
    internal long Elements => Shape.Aggregate(1L, (product, size) => product * size);

    internal long Bytes => Elements * 2;
}

/// <summary>
/// InternLM3-8B-Instruct with fewer layers and a smaller vocabulary: Llama layout, the true names, the true shape of every linear
/// layer (two key-value heads make k and v very short).
/// </summary>
internal sealed class DemoModel
{
    internal const int Hidden = 4096;
    internal const int Intermediate = 10240;
    internal const int KeyValueWidth = 2 * 128;
    internal const int Vocabulary = 8192;

    internal DemoModel(int layers)
    {
        Layers = layers;
        Tensors = [.. Enumerate(layers)];
    }

    internal int Layers { get; }

    internal IReadOnlyList<DemoTensor> Tensors { get; }

    internal long LargestTensorBytes => Tensors.Max(tensor => tensor.Bytes);

    internal long Parameters => Tensors.Sum(tensor => tensor.Elements);

    /// <summary>The configuration file, as far as loaders and the quantizer look at it.</summary>
    internal string Config => $$"""
        {
          "architectures": ["InternLM3ForCausalLM"],
          "bias": false,
          "head_dim": 128,
          "hidden_act": "silu",
          "hidden_size": {{Hidden}},
          "intermediate_size": {{Intermediate}},
          "max_position_embeddings": 32768,
          "model_type": "internlm3",
          "num_attention_heads": 32,
          "num_hidden_layers": {{Layers}},
          "num_key_value_heads": 2,
          "qkv_bias": false,
          "rms_norm_eps": 1e-05,
          "rope_theta": 50000000,
          "tie_word_embeddings": false,
          "torch_dtype": "bfloat16",
          "vocab_size": {{Vocabulary}}
        }

        """;

    private static IEnumerable<DemoTensor> Enumerate(int layers)
    {
        yield return new("model.embed_tokens.weight", [Vocabulary, Hidden], DemoRole.Embedding);
        for (int i = 0; i < layers; i++)
        {
            string layer = $"model.layers.{i}";
            yield return new($"{layer}.input_layernorm.weight", [Hidden], DemoRole.Norm);
            yield return new($"{layer}.self_attn.q_proj.weight", [Hidden, Hidden], DemoRole.Linear);
            yield return new($"{layer}.self_attn.k_proj.weight", [KeyValueWidth, Hidden], DemoRole.Linear);
            yield return new($"{layer}.self_attn.v_proj.weight", [KeyValueWidth, Hidden], DemoRole.Linear);
            yield return new($"{layer}.self_attn.o_proj.weight", [Hidden, Hidden], DemoRole.Linear);
            yield return new($"{layer}.post_attention_layernorm.weight", [Hidden], DemoRole.Norm);
            yield return new($"{layer}.mlp.gate_proj.weight", [Intermediate, Hidden], DemoRole.Linear);
            yield return new($"{layer}.mlp.up_proj.weight", [Intermediate, Hidden], DemoRole.Linear);
            yield return new($"{layer}.mlp.down_proj.weight", [Hidden, Intermediate], DemoRole.Linear);
        }

        yield return new("model.norm.weight", [Hidden], DemoRole.Norm);
        yield return new("lm_head.weight", [Vocabulary, Hidden], DemoRole.Linear);
    }
}
