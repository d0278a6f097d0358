namespace Halfbyte.Checkpoints.Tests;

/// <summary>A small model with every kind of tensor a checkpoint has, in files built by hand.</summary>
internal static class TinyModel
{
    public const string Config = """
        {
          "architectures": [
            "LlamaForCausalLM"
          ],
          "hidden_size": 96,
          "model_type": "llama",
          "rope_theta": 10000.0,
          "tie_word_embeddings": false,
          "torch_dtype": "bfloat16",
          "vocab_size": 130
        }

        """;

    public static readonly string[] LinearNames =
    [
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.0.self_attn.k_proj.weight",
        "model.layers.0.mlp.down_proj.weight",
        "model.vision.fc1.weight",
    ];

    /// <summary>Name, type, shape and bytes. The last linear layer has an odd number of elements and rows that no block divides.</summary>
    public static (string Name, string DType, long[] Shape, byte[] Data)[] Tensors(string dtype = "BF16", int seed = 1)
    {
        List<(string, string, long[], byte[])> tensors = [];
        Add("model.embed_tokens.weight", [130, 96]);
        Add("model.layers.0.input_layernorm.weight", [96]);
        Add("model.layers.0.self_attn.q_proj.weight", [96, 96]);
        Add("model.layers.0.self_attn.q_proj.bias", [96]);
        Add("model.layers.0.self_attn.k_proj.weight", [32, 96]);
        Add("model.layers.0.mlp.down_proj.weight", [96, 160]);
        Add("model.vision.patch_embedding.proj.weight", [8, 3, 2, 2]);
        Add("model.vision.class_embedding", [1, 96]);
        Add("model.vision.fc1.weight", [33, 97]);
        Add("model.resampler.proj", [96, 96]);
        Add("lm_head.weight", [130, 96]);
        tensors.Add(("model.layers.0.rotary_emb.inv_freq", "F32", [4], RawFile.Floats(1, 0.1f, 0.01f, 0.001f)));
        tensors.Add(("model.step", "I64", [], new byte[8]));
        tensors.Add(("model.mask", "BOOL", [3], [1, 0, 1]));
        return [.. tensors];

        void Add(string name, long[] shape)
        {
            int count = (int)shape.Aggregate(1L, (a, b) => a * b);
            tensors.Add((name, dtype, shape, RawFile.Elements(dtype, RawFile.Weights(count, seed + tensors.Count))));
        }
    }

    /// <summary>Writes the model as one file with config.json, a tokenizer and Python code.</summary>
    public static string Write(string directory, string dtype = "BF16", int seed = 1)
    {
        Directory.CreateDirectory(directory);
        File.WriteAllBytes(Path.Combine(directory, "model.safetensors"), RawFile.Of(Tensors(dtype, seed)));
        File.WriteAllText(Path.Combine(directory, "config.json"), Config);
        File.WriteAllText(Path.Combine(directory, "tokenizer.json"), "{\"version\": \"1.0\"}\n");
        File.WriteAllText(Path.Combine(directory, "modeling_tiny.py"), "class Tiny:\n    pass\n");
        return directory;
    }

    /// <summary>Writes the model as shards with an index.</summary>
    public static string WriteSharded(string directory, int shards, string dtype = "BF16")
    {
        Directory.CreateDirectory(directory);
        var tensors = Tensors(dtype);
        List<string> map = [];
        for (int s = 0; s < shards; s++)
        {
            string file = $"model-{s + 1:00000}-of-{shards:00000}.safetensors";
            var part = tensors.Where((_, i) => i % shards == s).ToArray();
            File.WriteAllBytes(Path.Combine(directory, file), RawFile.Of(part));
            map.AddRange(part.Select(t => $"\"{t.Name}\": \"{file}\""));
        }

        long total = tensors.Sum(t => (long)t.Data.Length);
        File.WriteAllText(
            Path.Combine(directory, "model.safetensors.index.json"),
            $"{{\"metadata\": {{\"total_size\": {total}}}, \"weight_map\": {{{string.Join(", ", map)}}}}}");
        File.WriteAllText(Path.Combine(directory, "config.json"), Config);
        return directory;
    }
}
