using System.Runtime.InteropServices;

using Halfbyte.Checkpoints;

namespace Halfbyte.Cli.Tests;

/// <summary>Checkpoints small enough to make in a moment.</summary>
public static class TinyCheckpoint
{
    public const int Hidden = 128;
    public const int Intermediate = 192;
    public const int Vocabulary = 256;

    /// <summary>Names and kinds of a Llama, as one safetensors file with a configuration.</summary>
    public static string WriteModel(string directory, int layers = 3)
    {
        Directory.CreateDirectory(directory);
        List<(string Name, long[] Shape)> tensors = [("model.embed_tokens.weight", [Vocabulary, Hidden])];
        for (int i = 0; i < layers; i++)
        {
            string layer = $"model.layers.{i}";
            tensors.Add(($"{layer}.input_layernorm.weight", [Hidden]));
            tensors.Add(($"{layer}.self_attn.q_proj.weight", [Hidden, Hidden]));
            tensors.Add(($"{layer}.mlp.up_proj.weight", [Intermediate, Hidden]));
            tensors.Add(($"{layer}.mlp.down_proj.weight", [Hidden, Intermediate]));
        }

        tensors.Add(("model.norm.weight", [Hidden]));
        tensors.Add(("lm_head.weight", [Vocabulary, Hidden]));
        Write(Path.Combine(directory, "model.safetensors"), tensors);
        File.WriteAllText(
            Path.Combine(directory, "config.json"),
            $$"""{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": {{Hidden}}, "num_hidden_layers": {{layers}}, "torch_dtype": "bfloat16"}""");
        return directory;
    }

    /// <summary>One safetensors file of bfloat16 tensors.</summary>
    public static void Write(string path, IEnumerable<(string Name, long[] Shape)> tensors)
    {
        List<(string Name, long[] Shape)> list = [.. tensors];
        using SafetensorsWriter writer = SafetensorsWriter.Create(
            path, [.. list.Select(tensor => new SafetensorsEntry(tensor.Name, SafetensorsDType.BF16, tensor.Shape))]);
        var random = new Random(7);
        foreach ((string name, long[] shape) in list)
        {
            var values = new BFloat16[shape.Aggregate(1L, (product, size) => product * size)];
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (BFloat16)(0.05f * (random.NextSingle() + random.NextSingle() - 1));
            }

            writer.Write(name, 0, MemoryMarshal.AsBytes<BFloat16>(values));
        }

        writer.Complete();
    }
}
