namespace Halfbyte.Checkpoints.Tests;

/// <summary>What Python programs write and have written: other storage types, older forms, parameters of any rank.</summary>
[TestFixture]
internal sealed class PythonFilesTests
{
    private TestDirectory _directory = null!;

    [SetUp]
    public void SetUp() => _directory = new TestDirectory();

    [TearDown]
    public void TearDown() => _directory.Dispose();

    private string Write(byte[] bytes)
    {
        string path = _directory["model.safetensors"];
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private byte[] Dequantize(byte[] file, string weight, DType? dtype = null)
    {
        string path = Write(file);
        Assert.That(CheckpointVerifier.Verify(path).Findings, Is.Empty);
        CheckpointDequantizer.Dequantize(path, _directory["out"], new DequantizeOptions { DType = dtype, Force = true });
        return new IndependentReader(_directory["out"])[weight].Data;
    }

    [TestCase("U8", 64)]
    [TestCase("I8", 64)]
    [TestCase("F16", 32)]
    [TestCase("BF16", 32)]
    [TestCase("F32", 16)]
    [TestCase("F64", 8)]
    public void Codes_under_any_storage_type(string dtype, int rows)
    {
        byte[] expected = Dequantize(QuantizedFile.FourBit().Bytes(), "fc.weight");
        byte[] codes = [.. Enumerable.Range(0, 64).Select(i => (byte)(i * 37))];
        Assert.That(Dequantize(QuantizedFile.FourBit().With("fc.weight", dtype, [rows, 1], codes).Bytes(), "fc.weight"), Is.EqualTo(expected));
    }

    [Test]
    public void A_quantized_parameter_of_rank_three()
    {
        string state = QuantizedFile.State.Replace("[4, 32]", "[2, 4, 16]", StringComparison.Ordinal);
        QuantizedFile file = QuantizedFile.FourBit().WithState(state);
        foreach (string part in new[] { "", ".absmax", ".quant_map", ".quant_state.bitsandbytes__nf4" })
        {
            file.Renamed("fc.weight" + part, "experts.gate_up_proj" + part);
        }

        byte[] expected = Dequantize(QuantizedFile.FourBit().Bytes(), "fc.weight");
        Assert.That(Dequantize(file.Bytes(), "experts.gate_up_proj"), Is.EqualTo(expected));
        Assert.That(new IndependentReader(_directory["out"])["experts.gate_up_proj"].Shape, Is.EqualTo(new long[] { 2, 4, 16 }));
        using CheckpointReader reader = CheckpointReader.Open(_directory["model.safetensors"]);
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        using QuantizedTensor tensor = reader.LoadLinear("experts.gate_up_proj", stream);
        Assert.That(tensor.Shape, Is.EqualTo(new long[] { 2, 4, 16 }));
    }

    [Test]
    public void An_int8_weight_without_its_layout()
    {
        byte[] expected = Dequantize(QuantizedFile.Int8().Bytes(), "fc.weight", DType.Float32);
        Assert.That(Dequantize(QuantizedFile.Int8().Without("fc.weight_format").Bytes(), "fc.weight", DType.Float32), Is.EqualTo(expected));
    }

    [Test]
    public void An_int8_weight_is_restored_to_float16_where_nothing_says_otherwise()
    {
        Dequantize(QuantizedFile.Int8().Bytes(), "fc.weight");
        Assert.That(new IndependentReader(_directory["out"])["fc.weight"].DType, Is.EqualTo("F16"));
    }

    [Test]
    public void A_state_stored_member_by_member()
    {
        byte[] expected = Dequantize(QuantizedFile.Nested().Bytes(), "fc.weight");
        QuantizedFile file = QuantizedFile.Nested()
            .Without("fc.weight.quant_state.bitsandbytes__nf4")
            .With("fc.weight.quant_type", "U8", [3], RawFile.Text("nf4"))
            .With("fc.weight.blocksize", "I64", [], [64, 0, 0, 0, 0, 0, 0, 0])
            .With("fc.weight.dtype", "U8", [7], RawFile.Text("float16"))
            .With("fc.weight.shape", "I64", [2], [4, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0])
            .With("fc.weight.nested_blocksize", "I32", [1], [0, 1, 0, 0])
            .With("fc.weight.nested_dtype", "U8", [7], RawFile.Text("float32"))
            .With("fc.weight.nested_offset", "F32", [], RawFile.Floats(0.5f));
        Assert.That(Dequantize(file.Bytes(), "fc.weight"), Is.EqualTo(expected));

        CheckpointFormatException e = Assert.Throws<CheckpointFormatException>(
            () => CheckpointDequantizer.Dequantize(Write(file.With("fc.weight.blocksize", "I64", [], [63, 0, 0, 0, 0, 0, 0, 0]).Bytes()), _directory["none"]))!;
        Assert.That(e.Rule, Is.EqualTo(FormatRules.QuantState));
    }

    [Test]
    public void Parts_of_a_weight_in_different_shards()
    {
        byte[] expected = Dequantize(QuantizedFile.FourBit().Bytes(), "fc.weight");
        string model = _directory["model"];
        Directory.CreateDirectory(model);
        File.WriteAllBytes(Path.Combine(model, "a.safetensors"), QuantizedFile.FourBit().Without("fc.weight.absmax").Without("fc.weight.quant_map").Bytes());
        File.WriteAllBytes(Path.Combine(model, "b.safetensors"), QuantizedFile.FourBit().Without("fc.weight").Without("fc.weight.quant_state.bitsandbytes__nf4").Bytes());
        File.WriteAllText(Path.Combine(model, "model.safetensors.index.json"), """
            {"metadata": {}, "weight_map": {"fc.weight": "a.safetensors", "fc.weight.quant_state.bitsandbytes__nf4": "a.safetensors",
             "fc.weight.absmax": "b.safetensors", "fc.weight.quant_map": "b.safetensors"}}
            """);
        CheckpointDequantizer.Dequantize(model, _directory["out2"]);
        Assert.That(new IndependentReader(_directory["out2"])["fc.weight"].Data, Is.EqualTo(expected));
    }

    [Test]
    public void A_restored_weight_that_overflows_names_the_remedy()
    {
        QuantizedFile file = QuantizedFile.FourBit().With("fc.weight.absmax", "F32", [2], RawFile.Floats(1, 1e6f));
        CheckpointFormatException e = Assert.Throws<CheckpointFormatException>(
            () => CheckpointDequantizer.Dequantize(Write(file.Bytes()), _directory["none"]))!;
        Assert.That(e.Message, Does.Contain("fc.weight").And.Contain("float16").And.Contain("bfloat16"));
        Assert.That(Directory.Exists(_directory["none"]), Is.False);
        Dequantize(file.Bytes(), "fc.weight", DType.Float32);
    }

    [Test]
    public void Loading_a_weight_that_is_not_quantized_names_both_types_and_the_remedy()
    {
        TinyModel.Write(_directory["in"]);
        using CheckpointReader reader = CheckpointReader.Open(_directory["in"]);
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        CheckpointFormatException e = Assert.Throws<CheckpointFormatException>(() => reader.LoadLinear("model.vision.fc1", stream))!;
        Assert.That(e.Message, Does.Contain("model.vision.fc1.weight").And.Contain("bfloat16").And.Contain("quantize"));
        Assert.Throws<CheckpointFormatException>(() => reader.LoadLinear("nothing", stream));
    }

    [Test]
    public void Biases_are_loaded_in_their_own_type()
    {
        TinyModel.Write(_directory["in"], "F16");
        using CheckpointReader reader = CheckpointReader.Open(_directory["in"]);
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        using DeviceBuffer? bias = reader.LoadBias("model.layers.0.self_attn.q_proj", stream, out DType dtype);
        Assert.That(dtype, Is.EqualTo(DType.Float16));
        Assert.That(bias!.HostSpan().ToArray(), Is.EqualTo(TinyModel.Tensors("F16").Single(t => t.Name.EndsWith("q_proj.bias", StringComparison.Ordinal)).Data));
        Assert.That(reader.LoadBias("model.layers.0.self_attn.k_proj.weight", stream, out _), Is.Null);
    }
}
