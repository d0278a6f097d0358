using System.Runtime.InteropServices;
using System.Text.Json;

using Halfbyte.Checkpoints;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Demo;

/// <summary>Writes the demo's model as a sharded bfloat16 checkpoint, a few rows at a time.</summary>
internal static class DemoCheckpoint
{
    private const long MaxShardBytes = 256_000_000;
    private const int ChunkBytes = 8 << 20;

    internal static void Write(DemoModel model, string directory, IProgress<WorkProgress> progress, CancellationToken cancellation)
    {
        Directory.CreateDirectory(directory);
        List<List<DemoTensor>> shards = Split(model.Tensors);
        long total = model.Tensors.Sum(tensor => tensor.Bytes);
        long done = 0;
        var chunk = new BFloat16[ChunkBytes / 2];
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < shards.Count; i++)
        {
            string file = $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors";
            List<SafetensorsEntry> entries = [.. shards[i].Select(tensor => new SafetensorsEntry(tensor.Name, SafetensorsDType.BF16, tensor.Shape))];
            using SafetensorsWriter writer = SafetensorsWriter.Create(Path.Combine(directory, file), entries);
            foreach (DemoTensor tensor in shards[i])
            {
                files.Add(tensor.Name, file);
                WriteTensor(writer, tensor, chunk, bytes => progress.Report(new WorkProgress(tensor.Name, done += bytes, total)), cancellation);
            }

            writer.Complete();
        }

        WriteIndex(Path.Combine(directory, "model.safetensors.index.json"), files, total);
        File.WriteAllText(Path.Combine(directory, "config.json"), model.Config);
    }

    private static void WriteTensor(
        SafetensorsWriter writer, DemoTensor tensor, BFloat16[] chunk, Action<long> written, CancellationToken cancellation)
    {
        int columns = (int)tensor.Shape[^1];
        long rows = tensor.Elements / columns;
        int rowsAtATime = Math.Max(1, chunk.Length / columns);
        for (long row = 0; row < rows; row += rowsAtATime)
        {
            cancellation.ThrowIfCancellationRequested();
            Span<BFloat16> part = chunk.AsSpan(0, (int)Math.Min(rowsAtATime, rows - row) * columns);
            SyntheticWeights.Fill(part, row, tensor);
            writer.Write(tensor.Name, row * columns * 2, MemoryMarshal.AsBytes(part));
            written(part.Length * 2L);
        }
    }

    private static List<List<DemoTensor>> Split(IEnumerable<DemoTensor> tensors)
    {
        List<List<DemoTensor>> shards = [[]];
        long bytes = 0;
        foreach (DemoTensor tensor in tensors)
        {
            if (bytes > 0 && bytes + tensor.Bytes > MaxShardBytes)
            {
                shards.Add([]);
                bytes = 0;
            }

            shards[^1].Add(tensor);
            bytes += tensor.Bytes;
        }

        return shards;
    }

    private static void WriteIndex(string path, SortedDictionary<string, string> files, long total)
    {
        using FileStream stream = File.Create(path);
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", total);
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        foreach ((string name, string file) in files)
        {
            json.WriteString(name, file);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }
}
