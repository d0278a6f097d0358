using System.Buffers.Binary;
using System.Text.Json;

namespace Halfbyte.Checkpoints.Tests;

/// <summary>
/// A second reader and decoder, written from the documented layout of the formats and sharing nothing with the library: what it
/// reads is what another program would read.
/// </summary>
internal sealed class IndependentReader
{
    private readonly Dictionary<string, (string DType, long[] Shape, byte[] Data)> _tensors = new(StringComparer.Ordinal);

    /// <param name="directory">Where the files are.</param>
    /// <param name="written">Whether the library wrote them, and alignment and format are to be checked.</param>
    public IndependentReader(string directory, bool written = true)
    {
        foreach (string path in Directory.GetFiles(directory, "*.safetensors"))
        {
            byte[] file = File.ReadAllBytes(path);
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
            Assert.That(written && length % 8 != 0, Is.False, "data is aligned to 8 bytes");
            using JsonDocument header = JsonDocument.Parse(file.AsMemory(8, length));
            foreach (JsonProperty entry in header.RootElement.EnumerateObject())
            {
                if (entry.Name == "__metadata__")
                {
                    Assert.That(entry.Value.GetProperty("format").GetString(), Is.EqualTo("pt"));
                    continue;
                }

                long[] offsets = [.. entry.Value.GetProperty("data_offsets").EnumerateArray().Select(e => e.GetInt64())];
                _tensors.Add(entry.Name, (
                    entry.Value.GetProperty("dtype").GetString()!,
                    [.. entry.Value.GetProperty("shape").EnumerateArray().Select(e => e.GetInt64())],
                    file[(8 + length + (int)offsets[0])..(8 + length + (int)offsets[1])]));
            }
        }
    }

    public IReadOnlyCollection<string> Names => _tensors.Keys;

    public (string DType, long[] Shape, byte[] Data) this[string name] => _tensors[name];

    public bool Has(string name) => _tensors.ContainsKey(name);

    /// <summary>The JSON of a 4-bit weight's state.</summary>
    public string State(string weight, string type) => System.Text.Encoding.UTF8.GetString(_tensors[$"{weight}.quant_state.bitsandbytes__{type}"].Data);

    public float[] Floats(string name)
    {
        (string dtype, _, byte[] data) = _tensors[name];
        Assert.That(dtype, Is.EqualTo("F32"), name);
        float[] values = new float[data.Length / 4];
        Buffer.BlockCopy(data, 0, values, 0, data.Length);
        return values;
    }

    /// <summary>float32 elements of a plain tensor.</summary>
    public float[] Plain(string name)
    {
        (string dtype, _, byte[] data) = _tensors[name];
        return dtype switch
        {
            "F32" => Floats(name),
            "F16" => [.. Enumerable.Range(0, data.Length / 2).Select(i => (float)BinaryPrimitives.ReadHalfLittleEndian(data.AsSpan(2 * i)))],
            "BF16" => [.. Enumerable.Range(0, data.Length / 2)
                .Select(i => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(2 * i)) << 16))],
            _ => throw new AssertionException($"{name} is {dtype}"),
        };
    }

    /// <summary>Decodes a 4-bit weight to float32: high nibble first, blocks over the flat tensor, one product.</summary>
    public float[] FourBit(string weight, string type)
    {
        using JsonDocument state = JsonDocument.Parse(State(weight, type));
        int blockSize = state.RootElement.GetProperty("blocksize").GetInt32();
        long count = state.RootElement.GetProperty("shape").EnumerateArray().Aggregate(1L, (a, e) => a * e.GetInt64());
        float[] map = Floats(weight + ".quant_map");
        float[] absmax = Statistics(weight, state.RootElement);
        byte[] codes = _tensors[weight].Data;
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            int code = i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15;
            values[i] = map[code] * absmax[i / blockSize];
        }

        return values;
    }

    /// <summary>Decodes an int8 weight to float32.</summary>
    public float[] Int8(string module)
    {
        (string dtype, long[] shape, byte[] codes) = _tensors[module + ".weight"];
        Assert.That(dtype, Is.EqualTo("I8"));
        float[] scb = Floats(module + ".SCB");
        Assert.That(_tensors[module + ".weight_format"].Data, Is.EqualTo(new byte[] { 0 }));
        return [.. codes.Select((c, i) => (sbyte)c * scb[i / (int)shape[1]] * (1f / 127f))];
    }

    private float[] Statistics(string weight, JsonElement state)
    {
        if (!state.TryGetProperty("nested_offset", out JsonElement offset))
        {
            return Floats(weight + ".absmax");
        }

        float mean = (float)offset.GetDouble();
        float[] table = Floats(weight + ".nested_quant_map");
        float[] nested = Floats(weight + ".nested_absmax");
        return [.. _tensors[weight + ".absmax"].Data.Select((code, i) => (table[code] * nested[i / 256]) + mean)];
    }
}
