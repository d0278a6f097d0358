using System.Text.Json;

namespace Halfbyte.Checkpoints.Tests;

/// <summary>Tensors a program has in memory, saved and loaded again.</summary>
[TestFixture]
internal sealed class CheckpointWriterTests
{
    private static readonly float[] Weights = RawFile.Weights(33 * 97, 5);

    private TestDirectory _directory = null!;
    private ComputeStream _stream = null!;

    [SetUp]
    public void SetUp()
    {
        _directory = new TestDirectory();
        _stream = ComputeStream.Create(Device.Cpu);
    }

    [TearDown]
    public void TearDown()
    {
        _stream.Dispose();
        _directory.Dispose();
    }

    [TestCase(QuantType.Nf4, false)]
    [TestCase(QuantType.Nf4, true)]
    [TestCase(QuantType.Fp4, true)]
    public void Four_bit_weights_come_back_bit_for_bit(QuantType type, bool doubleQuantize)
    {
        FourBitOptions options = new() { QuantType = type, DoubleQuantize = doubleQuantize };
        using FourBitTensor weight = FourBit.Quantize<float>(_stream, Weights, 33, 97, options);
        CheckpointWriter writer = new();
        writer.Add("fc.weight", weight);
        writer.Add("fc.bias", SafetensorsDType.F32, [33], RawFile.Floats(RawFile.Weights(33, 1)));
        IReadOnlyList<string> files = writer.Write(
            _directory["out"], _stream, new WriteOptions { Config = ModelConfig.Parse(RawFile.Text("{\"model_type\": \"tiny\"}"), "config.json") });
        Assert.That(files, Is.EqualTo(new[] { "model.safetensors" }));
        Assert.That(CheckpointVerifier.Verify(_directory["out"]).Findings, Is.Empty);

        using CheckpointReader reader = CheckpointReader.Open(_directory["out"]);
        using var loaded = (FourBitTensor)reader.LoadLinear("fc", _stream);
        Assert.That(Dequantized(loaded), Is.EqualTo(Dequantized(weight)));
        Assert.That(loaded.ToString(), Is.EqualTo(weight.ToString()));
        Assert.That(loaded.OriginalDType, Is.EqualTo(DType.Float32));

        // The same weight quantized from file to file has the same bytes.
        File.WriteAllBytes(_directory["plain.safetensors"], RawFile.Of(("fc.weight", "F32", [33, 97], RawFile.Floats(Weights))));
        CheckpointQuantizer.Quantize(
            _directory["plain.safetensors"],
            _directory["file"],
            new QuantizeOptions { Scheme = type == QuantType.Nf4 ? WeightScheme.Nf4 : WeightScheme.Fp4, DoubleQuantize = doubleQuantize });
        IndependentReader memory = new(_directory["out"]);
        IndependentReader file = new(_directory["file"]);
        foreach (string name in file.Names)
        {
            Assert.That(memory[name].Data, Is.EqualTo(file[name].Data), name);
            Assert.That(memory[name].Shape, Is.EqualTo(file[name].Shape), name);
        }
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_four_bit_embedding_is_loaded_as_a_linear_weight_is(bool doubleQuantize)
    {
        using FourBitTensor weight = FourBit.Quantize<float>(_stream, Weights, 33, 97, new() { DoubleQuantize = doubleQuantize });
        CheckpointWriter writer = new();
        writer.Add("model.embed_tokens.weight", weight);
        writer.Write(
            _directory["out"], _stream, new WriteOptions { Config = ModelConfig.Parse(RawFile.Text("{\"model_type\": \"tiny\"}"), "config.json") });

        using CheckpointReader reader = CheckpointReader.Open(_directory["out"]);
        using var embedding = new Embedding4Bit((FourBitTensor)reader.LoadLinear("model.embed_tokens", _stream));
        float[] rows = new float[3 * 97];
        embedding.Forward(_stream, [32, 0, 32], rows.AsSpan());
        float[] all = Dequantized(weight);
        Assert.That(rows, Is.EqualTo(new[] { 32, 0, 32 }.SelectMany(row => all[(row * 97)..((row + 1) * 97)])));
        Assert.That(embedding.Name, Is.EqualTo("model.embed_tokens.weight"));
    }

    [Test]
    public void Int8_weights_come_back_bit_for_bit()
    {
        using Int8Tensor weight = Int8.Quantize<float>(_stream, Weights, 33, 97);
        CheckpointWriter writer = new();
        writer.Add("fc.weight", weight);
        writer.Write(_directory["out"], _stream, new WriteOptions { Config = ModelConfig.Parse(RawFile.Text("{\"torch_dtype\": \"float32\"}"), "config.json") });
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(_directory["out/config.json"]));
        Assert.That(config.RootElement.GetProperty("quantization_config").GetProperty("load_in_8bit").GetBoolean(), Is.True);
        using CheckpointReader reader = CheckpointReader.Open(_directory["out"]);
        using var loaded = (Int8Tensor)reader.LoadLinear("fc.weight", _stream);
        float[] expected = new float[Weights.Length];
        float[] actual = new float[Weights.Length];
        Int8.Dequantize(_stream, weight, expected.AsSpan());
        Int8.Dequantize(_stream, loaded, actual.AsSpan());
        Assert.That(actual, Is.EqualTo(expected));
    }

    [Test]
    public void Many_tensors_become_shards()
    {
        CheckpointWriter writer = new();
        for (int i = 0; i < 5; i++)
        {
            writer.Add($"t{i}", SafetensorsDType.U8, [1000], new byte[1000]);
        }

        Assert.That(writer.Write(_directory["out"], _stream, new WriteOptions { MaxShardBytes = 2000 }), Has.Count.EqualTo(3));
        using CheckpointReader reader = CheckpointReader.Open(_directory["out"]);
        Assert.That(reader.Tensors, Has.Count.EqualTo(5));
    }

    [Test]
    public void What_no_file_can_hold_is_refused()
    {
        using Int8Tensor int8 = Int8.Quantize<float>(_stream, Weights, 33, 97);
        using FourBitTensor nf4 = FourBit.Quantize<float>(_stream, Weights, 33, 97, new FourBitOptions());
        CheckpointWriter writer = new();
        writer.Add("a.weight", nf4);
        Assert.Throws<ArgumentException>(() => writer.Add("a.weight", nf4));
        Assert.Throws<ArgumentException>(() => writer.Add("a.weight.absmax", SafetensorsDType.U8, [1], new byte[1]));
        Assert.Throws<ArgumentException>(() => writer.Add("b", int8));
        Assert.Throws<ArgumentException>(() => writer.Add("c", SafetensorsDType.F32, [2], new byte[4]));
        writer.Add("b.weight", int8);
        Assert.Throws<ArgumentException>(() => writer.Write(_directory["out"], _stream, new WriteOptions { Config = ModelConfig.Parse(RawFile.Text("{}"), "x") }));
        Assert.Throws<CheckpointOutputException>(() => writer.Write(_directory["out"], _stream, new WriteOptions { Storage = new FailingStorage { Capacity = 100 } }));
        Assert.That(Directory.Exists(_directory["out"]), Is.False);
    }

    private float[] Dequantized(FourBitTensor tensor)
    {
        float[] values = new float[tensor.ElementCount];
        FourBit.Dequantize(_stream, tensor, values.AsSpan());
        return values;
    }
}
