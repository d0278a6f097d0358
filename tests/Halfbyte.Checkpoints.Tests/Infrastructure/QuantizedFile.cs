namespace Halfbyte.Checkpoints.Tests;

/// <summary>A single quantized weight <c>fc.weight</c> [4, 32] in a hand-built file, to be bent before it is written.</summary>
internal sealed class QuantizedFile
{
    public const string State = """{"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [4, 32]}""";

    public const string NestedState =
        """{"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [4, 32], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.5}""";

    public static readonly float[] Nf4 =
    [
        -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
        -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
        0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f,
    ];

    public static readonly float[] Fp4 =
    [
        0.0f, 0.0052083334f, 0.6666667f, 1.0f, 0.33333334f, 0.5f, 0.16666667f, 0.25f,
        -0.0f, -0.0052083334f, -0.6666667f, -1.0f, -0.33333334f, -0.5f, -0.16666667f, -0.25f,
    ];

    private readonly List<(string Name, string DType, long[] Shape, byte[] Data)> _tensors;

    private QuantizedFile(List<(string, string, long[], byte[])> tensors) => _tensors = tensors;

    public static QuantizedFile FourBit() => new(
    [
        ("fc.weight", "U8", [64, 1], [.. Enumerable.Range(0, 64).Select(i => (byte)(i * 37))]),
        ("fc.weight.absmax", "F32", [2], RawFile.Floats(0.5f, 2f)),
        ("fc.weight.quant_map", "F32", [16], RawFile.Floats(Nf4)),
        ("fc.weight.quant_state.bitsandbytes__nf4", "U8", [State.Length], RawFile.Text(State)),
    ]);

    public static QuantizedFile Nested() => new(
    [
        ("fc.weight", "U8", [64, 1], [.. Enumerable.Range(0, 64).Select(i => (byte)(i * 37))]),
        ("fc.weight.absmax", "U8", [2], [3, 200]),
        ("fc.weight.quant_map", "F32", [16], RawFile.Floats(Nf4)),
        ("fc.weight.nested_absmax", "F32", [1], RawFile.Floats(0.25f)),
        ("fc.weight.nested_quant_map", "F32", [256], RawFile.Floats([.. Enumerable.Range(0, 256).Select(i => (i - 127) / 128f)])),
        ("fc.weight.quant_state.bitsandbytes__nf4", "U8", [NestedState.Length], RawFile.Text(NestedState)),
    ]);

    public static QuantizedFile Int8() => new(
    [
        ("fc.weight", "I8", [4, 32], [.. Enumerable.Range(0, 128).Select(i => (byte)(sbyte)((i * 2) - 127))]),
        ("fc.SCB", "F32", [4], RawFile.Floats(1, 2, 0, 127)),
        ("fc.weight_format", "U8", [], [0]),
        ("fc.bias", "F16", [4], RawFile.Halves(1, 2, 3, 4)),
    ]);

    public QuantizedFile Without(string name)
    {
        Assert.That(_tensors.RemoveAll(t => t.Name == name), Is.EqualTo(1));
        return this;
    }

    public QuantizedFile With(string name, string dtype, long[] shape, byte[] data)
    {
        int at = _tensors.FindIndex(t => t.Name == name);
        if (at >= 0)
        {
            _tensors[at] = (name, dtype, shape, data);
        }
        else
        {
            _tensors.Add((name, dtype, shape, data));
        }

        return this;
    }

    public QuantizedFile WithState(string json) => With("fc.weight.quant_state.bitsandbytes__nf4", "U8", [json.Length], RawFile.Text(json));

    public QuantizedFile Renamed(string from, string to)
    {
        int at = _tensors.FindIndex(t => t.Name == from);
        _tensors[at] = _tensors[at] with { Name = to };
        return this;
    }

    public byte[] Bytes() => RawFile.Of([.. _tensors]);
}
