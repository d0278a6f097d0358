using System.Text.Json;

namespace Halfbyte.Checkpoints.Tests;

/// <summary>Quantized checkpoints, read back by a decoder of the tests' own.</summary>
[TestFixture]
internal sealed class QuantizeTests
{
    private TestDirectory _directory = null!;

    [SetUp]
    public void SetUp() => _directory = new TestDirectory();

    [TearDown]
    public void TearDown() => _directory.Dispose();

    private static int Elements(long[] shape) => (int)shape.Aggregate(1L, (a, b) => a * b);

    [Test]
    public void Four_bit_weights_decode_by_the_documented_layout(
        [Values(WeightScheme.Nf4, WeightScheme.Fp4)] WeightScheme scheme,
        [Values("F32", "F16", "BF16")] string dtype,
        [Values(32, 64, 256, 4096)] int blockSize,
        [Values] bool doubleQuantize)
    {
        string input = TinyModel.Write(_directory["in"], dtype);
        string output = _directory["out"];
        QuantizeOptions options = new() { Scheme = scheme, BlockSize = blockSize, DoubleQuantize = doubleQuantize, ChunkBytes = 1 << 14 };
        CheckpointQuantizer.Quantize(input, output, options);

        string type = scheme == WeightScheme.Nf4 ? "nf4" : "fp4";
        IndependentReader reader = new(output);
        foreach ((string name, _, long[] shape, byte[] data) in TinyModel.Tensors(dtype).Where(t => TinyModel.LinearNames.Contains(t.Name)))
        {
            int n = Elements(shape);
            float[] original = Widen(dtype, data);
            float[] decoded = reader.FourBit(name, type);
            byte[] codes = reader[name].Data;
            using (Assert.EnterMultipleScope())
            {
                Assert.That(reader[name].Shape, Is.EqualTo(new long[] { (n + 1) / 2, 1 }));
                Assert.That(reader[name].DType, Is.EqualTo("U8"));
                Assert.That(reader.Floats(name + ".quant_map"), Is.EqualTo(scheme == WeightScheme.Nf4 ? QuantizedFile.Nf4 : QuantizedFile.Fp4));
                Assert.That(reader[name + ".absmax"].DType, Is.EqualTo(doubleQuantize ? "U8" : "F32"));
                Assert.That(reader[name + ".absmax"].Shape, Is.EqualTo(new long[] { (n + blockSize - 1) / blockSize }));
                Assert.That(reader.State(name, type), Does.StartWith(
                    $"{{\"quant_type\": \"{type}\", \"blocksize\": {blockSize}, \"dtype\": \"{TorchName(dtype)}\", \"shape\": [{shape[0]}, {shape[1]}]"));
            }

            // A code is at most half a gap of the table off; double quantization moves a statistic by at most half a gap of its own table,
            // 1/142 of the largest statistic.
            float[] table = scheme == WeightScheme.Nf4 ? QuantizedFile.Nf4 : QuantizedFile.Fp4;
            float halfGap = scheme == WeightScheme.Nf4 ? 0.152f : 0.167f;
            float nestedError = doubleQuantize ? original.Max(Math.Abs) / 100 : 0;
            List<int> wrongCodes = [];
            List<int> wrongValues = [];
            for (int start = 0; start < n; start += blockSize)
            {
                int end = Math.Min(n, start + blockSize);
                float absmax = original[start..end].Max(Math.Abs);
                for (int i = start; i < end; i++)
                {
                    int code = i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15;
                    if (scheme == WeightScheme.Nf4 && code != NearestBelow(table, original[i] * (1 / absmax)))
                    {
                        wrongCodes.Add(i);
                    }

                    if (!(Math.Abs(decoded[i] - original[i]) <= (absmax * halfGap) + nestedError))
                    {
                        wrongValues.Add(i);
                    }
                }
            }

            Assert.That(wrongCodes, Is.Empty, name);
            Assert.That(wrongValues, Is.Empty, name);
            if (n % 2 == 1)
            {
                Assert.That(codes[^1] & 15, Is.EqualTo(scheme == WeightScheme.Nf4 ? 7 : 0), "the half byte after the last element");
            }
        }
    }

    [Test]
    public void Int8_weights_decode_by_the_documented_layout([Values("F32", "F16", "BF16")] string dtype)
    {
        string input = TinyModel.Write(_directory["in"], dtype);
        CheckpointQuantizer.Quantize(input, _directory["out"], new QuantizeOptions { Scheme = WeightScheme.Int8, ChunkBytes = 1 << 14 });
        IndependentReader reader = new(_directory["out"]);
        foreach ((string name, _, long[] shape, byte[] data) in TinyModel.Tensors(dtype).Where(t => TinyModel.LinearNames.Contains(t.Name)))
        {
            string module = name[..^".weight".Length];
            float[] original = Widen(dtype, data);
            float[] decoded = reader.Int8(module);
            float[] scb = reader.Floats(module + ".SCB");
            int columns = (int)shape[1];
            Assert.That(reader[name].Shape, Is.EqualTo(shape));
            Assert.That(reader[module + ".weight_format"].Shape, Is.Empty);
            Assert.That(reader[module + ".weight_format"].DType, Is.EqualTo("U8"));
            for (int row = 0; row < shape[0]; row++)
            {
                float absmax = original[(row * columns)..((row + 1) * columns)].Max(Math.Abs);
                float scale = 127f / absmax;
                Assert.That(scb[row], Is.EqualTo(absmax), "the statistic is the absolute maximum itself");
                int[] cells = [.. Enumerable.Range(row * columns, columns)];
                Assert.That(
                    cells.Where(i => (sbyte)reader[name].Data[i] != (sbyte)MathF.Round(original[i] * scale, MidpointRounding.ToEven)), Is.Empty);
                Assert.That(cells.Where(i => !(Math.Abs(decoded[i] - original[i]) <= absmax * 0.502f / 127)), Is.Empty);
            }
        }
    }

    [Test]
    public void The_library_restores_the_bits_the_layout_says(
        [Values(WeightScheme.Nf4, WeightScheme.Fp4, WeightScheme.Int8)] WeightScheme scheme,
        [Values("F32", "F16", "BF16")] string dtype,
        [Values] bool doubleQuantize,
        [Values(1 << 14, 32 << 20)] int chunkBytes)
    {
        if (scheme == WeightScheme.Int8 && doubleQuantize)
        {
            Assert.Throws<ArgumentException>(() => CheckpointQuantizer.Quantize("x", "y", new QuantizeOptions { Scheme = scheme, DoubleQuantize = true }));
            return;
        }

        string input = TinyModel.Write(_directory["in"], dtype);
        CheckpointQuantizer.Quantize(input, _directory["q"], new QuantizeOptions { Scheme = scheme, DoubleQuantize = doubleQuantize, ChunkBytes = chunkBytes });
        CheckpointDequantizer.Dequantize(
            _directory["q"], _directory["full"], new DequantizeOptions { ChunkBytes = chunkBytes, DType = scheme == WeightScheme.Int8 ? DTypeOf(dtype) : null });
        IndependentReader quantized = new(_directory["q"]);
        IndependentReader restored = new(_directory["full"]);
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        using CheckpointReader reader = CheckpointReader.Open(_directory["q"]);
        foreach (string name in TinyModel.LinearNames)
        {
            float[] expected = scheme == WeightScheme.Int8
                ? quantized.Int8(name[..^".weight".Length])
                : quantized.FourBit(name, scheme == WeightScheme.Nf4 ? "nf4" : "fp4");
            byte[] bytes = RawFile.Elements(dtype, expected);
            Assert.That(restored[name].DType, Is.EqualTo(dtype));
            Assert.That(restored[name].Data, Is.EqualTo(bytes), name);

            using QuantizedTensor loaded = reader.LoadLinear(name, stream);
            float[] values = new float[loaded.ElementCount];
            if (loaded is FourBitTensor fourBit)
            {
                FourBit.Dequantize(stream, fourBit, values.AsSpan());
            }
            else
            {
                Int8.Dequantize(stream, (Int8Tensor)loaded, values.AsSpan());
            }

            Assert.That(RawFile.Floats(values), Is.EqualTo(RawFile.Floats(expected)), name);
            Assert.That(loaded.Name, Is.EqualTo(name));
        }
    }

    [Test]
    public void Everything_else_passes_through_byte_for_byte()
    {
        string input = TinyModel.Write(_directory["in"]);
        ConversionReport report = CheckpointQuantizer.Quantize(input, _directory["out"]);
        IndependentReader reader = new(_directory["out"]);
        foreach ((string name, string dtype, long[] shape, byte[] data) in TinyModel.Tensors().Where(t => !TinyModel.LinearNames.Contains(t.Name)))
        {
            Assert.That(reader[name].DType, Is.EqualTo(dtype), name);
            Assert.That(reader[name].Shape, Is.EqualTo(shape), name);
            Assert.That(reader[name].Data, Is.EqualTo(data), name);
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reader.Names, Has.Count.EqualTo(TinyModel.Tensors().Length + (3 * TinyModel.LinearNames.Length)));
            Assert.That(report.ConvertedCount, Is.EqualTo(4));
            Assert.That(report.PassedThroughCount, Is.EqualTo(10));
            Assert.That(report.Warnings, Is.Empty);
            Assert.That(report.OutputBytes, Is.LessThan(report.InputBytes));
            Assert.That(File.ReadAllText(_directory["out/tokenizer.json"]), Is.EqualTo(File.ReadAllText(_directory["in/tokenizer.json"])));
            Assert.That(File.ReadAllText(_directory["out/modeling_tiny.py"]), Is.EqualTo(File.ReadAllText(_directory["in/modeling_tiny.py"])));
            Assert.That(TestDirectory.List(_directory["out"]), Is.EqualTo(new[] { "config.json", "model.safetensors", "modeling_tiny.py", "tokenizer.json" }));
        }
    }

    [Test]
    public void There_and_back_leaves_everything_but_the_weights_as_it_was()
    {
        string input = TinyModel.Write(_directory["in"]);
        CheckpointQuantizer.Quantize(input, _directory["q"], new QuantizeOptions { DoubleQuantize = true });
        CheckpointDequantizer.Dequantize(_directory["q"], _directory["full"]);
        Assert.That(File.ReadAllText(_directory["full/config.json"]), Is.EqualTo(TinyModel.Config));
        IndependentReader restored = new(_directory["full"]);
        Assert.That(restored.Names, Is.EquivalentTo(TinyModel.Tensors().Select(t => t.Name)));
        ComparisonReport comparison = CheckpointComparer.Compare(input, _directory["full"]);
        Assert.That(comparison.IdenticalCount, Is.EqualTo(10));
        Assert.That(comparison.RelativeError, Is.InRange(0.05, 0.15));
    }

    [Test]
    public void Two_runs_give_the_same_bytes()
    {
        string input = TinyModel.Write(_directory["in"]);
        QuantizeOptions options = new() { DoubleQuantize = true };
        CheckpointQuantizer.Quantize(input, _directory["a"], options);
        CheckpointQuantizer.Quantize(input, _directory["b"], options with { ChunkBytes = 1 << 14 });
        Assert.That(File.ReadAllBytes(_directory["a/model.safetensors"]), Is.EqualTo(File.ReadAllBytes(_directory["b/model.safetensors"])));
    }

    [TestCase(SafetensorsDType.BF16, "BF16", 2)]
    [TestCase(SafetensorsDType.F16, "F16", 2)]
    [TestCase(SafetensorsDType.F32, "F32", 4)]
    public void Codes_can_be_stored_under_another_type(SafetensorsDType storage, string name, int size)
    {
        string input = TinyModel.Write(_directory["in"]);
        QuantizeOptions options = new() { Skip = ["lm_head", "vision"] };
        CheckpointQuantizer.Quantize(input, _directory["u8"], options);
        CheckpointQuantizer.Quantize(input, _directory["other"], options with { QuantStorage = storage });
        IndependentReader plain = new(_directory["u8"]);
        IndependentReader other = new(_directory["other"]);
        string weight = TinyModel.LinearNames[0];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(other[weight].DType, Is.EqualTo(name));
            Assert.That(other[weight].Shape, Is.EqualTo(new long[] { plain[weight].Shape[0] / size, 1 }));
            Assert.That(other[weight].Data, Is.EqualTo(plain[weight].Data));
            Assert.That(CheckpointVerifier.Verify(_directory["other"]).Findings, Is.Empty);
            Assert.That(CheckpointComparer.Compare(_directory["u8"], _directory["other"]).RelativeError, Is.Zero);
        }

        CheckpointFormatException e = Assert.Throws<CheckpointFormatException>(
            () => CheckpointQuantizer.Quantize(input, _directory["odd"], options with { Skip = ["lm_head"], QuantStorage = storage }))!;
        Assert.That(e.TensorName, Is.EqualTo("model.vision.fc1.weight"));
    }

    [Test]
    public void The_configuration_is_what_transformers_writes()
    {
        string input = TinyModel.Write(_directory["in"]);
        CheckpointQuantizer.Quantize(input, _directory["out"], new QuantizeOptions { DoubleQuantize = true });
        string expected = TinyModel.Config.Replace(
            "  \"rope_theta\"",
            """
              "quantization_config": {
                "_load_in_4bit": true,
                "_load_in_8bit": false,
                "bnb_4bit_compute_dtype": "bfloat16",
                "bnb_4bit_quant_storage": "uint8",
                "bnb_4bit_quant_type": "nf4",
                "bnb_4bit_use_double_quant": true,
                "llm_int8_enable_fp32_cpu_offload": false,
                "llm_int8_has_fp16_weight": false,
                "llm_int8_skip_modules": [
                  "lm_head"
                ],
                "llm_int8_threshold": 6.0,
                "load_in_4bit": true,
                "load_in_8bit": false,
                "quant_method": "bitsandbytes"
              },
              "rope_theta"
            """,
            StringComparison.Ordinal);
        Assert.That(File.ReadAllText(_directory["out/config.json"]), Is.EqualTo(expected));
    }

    [Test]
    public void The_configuration_of_int8_has_transformers_defaults_for_4_bits()
    {
        string input = TinyModel.Write(_directory["in"]);
        CheckpointQuantizer.Quantize(
            input, _directory["out"], new QuantizeOptions { Scheme = WeightScheme.Int8, Int8Threshold = 5.3f, Skip = ["lm_head", "fc1"] });
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(_directory["out/config.json"]));
        JsonElement quantization = config.RootElement.GetProperty("quantization_config");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(quantization.GetProperty("load_in_8bit").GetBoolean(), Is.True);
            Assert.That(quantization.GetProperty("_load_in_8bit").GetBoolean(), Is.True);
            Assert.That(quantization.GetProperty("load_in_4bit").GetBoolean(), Is.False);
            Assert.That(quantization.GetProperty("bnb_4bit_compute_dtype").GetString(), Is.EqualTo("float32"));
            Assert.That(quantization.GetProperty("bnb_4bit_quant_type").GetString(), Is.EqualTo("fp4"));
            Assert.That(quantization.GetProperty("llm_int8_threshold").GetRawText(), Is.EqualTo("5.3"));
            Assert.That(quantization.GetProperty("llm_int8_skip_modules").EnumerateArray().Select(e => e.GetString()), Is.EqualTo(new[] { "lm_head", "fc1" }));
        }
    }

    [Test]
    public void Shards_have_transformers_names_and_never_split_a_weight()
    {
        string input = TinyModel.WriteSharded(_directory["in"], 3);
        ConversionReport report = CheckpointQuantizer.Quantize(input, _directory["out"], new QuantizeOptions { MaxShardBytes = 30_000, DoubleQuantize = true });
        Assert.That(report.Files, Has.Count.GreaterThan(1));
        string[] expected = [.. Enumerable.Range(1, report.Files.Count).Select(i => $"model-{i:00000}-of-{report.Files.Count:00000}.safetensors")];
        Assert.That(report.Files, Is.EqualTo(expected));
        Assert.That(TestDirectory.List(_directory["out"]), Is.EqualTo(expected.Append("model.safetensors.index.json").Prepend("config.json")));

        string text = File.ReadAllText(_directory["out/model.safetensors.index.json"]);
        using JsonDocument index = JsonDocument.Parse(text);
        Dictionary<string, string> map = index.RootElement.GetProperty("weight_map").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!);
        IndependentReader reader = new(_directory["out"]);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(map.Keys, Is.EquivalentTo(reader.Names));
            Assert.That(map.Keys, Is.Ordered.Using((IComparer<string>)StringComparer.Ordinal));
            Assert.That(index.RootElement.GetProperty("metadata").GetProperty("total_size").GetInt64(), Is.EqualTo(reader.Names.Sum(n => reader[n].Data.Length)));
            Assert.That(text, Does.StartWith("{\n  \"metadata\": {\n    \"total_size\": ").And.EndsWith("\"\n  }\n}\n"));
            foreach (string weight in TinyModel.LinearNames)
            {
                Assert.That(map.Where(p => p.Key.StartsWith(weight, StringComparison.Ordinal)).Select(p => p.Value).Distinct().Count(), Is.EqualTo(1));
            }

            Assert.That(CheckpointVerifier.Verify(_directory["out"]).Findings, Is.Empty);
        }

        CheckpointDequantizer.Dequantize(_directory["out"], _directory["full"], new DequantizeOptions { MaxShardBytes = 20_000 });
        CheckpointQuantizer.Quantize(TinyModel.Write(_directory["whole"]), _directory["whole-q"], new QuantizeOptions { DoubleQuantize = true });
        Assert.That(CheckpointComparer.Compare(_directory["out"], _directory["whole-q"]).RelativeError, Is.Zero);
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    [TestCase(float.NegativeInfinity)]
    public void A_weight_that_is_not_finite_is_refused_unless_skipped(float value)
    {
        float[] weights = RawFile.Weights(64 * 40, 1);
        weights[(7 * 40) + 11] = value;
        string path = _directory["model.safetensors"];
        File.WriteAllBytes(path, RawFile.Of(
            ("good.weight", "BF16", [64, 40], RawFile.BFloats(RawFile.Weights(64 * 40, 2))), ("bad.weight", "BF16", [64, 40], RawFile.BFloats(weights))));
        foreach (WeightScheme scheme in new[] { WeightScheme.Nf4, WeightScheme.Int8 })
        {
            CheckpointFormatException e = Assert.Throws<CheckpointFormatException>(
                () => CheckpointQuantizer.Quantize(path, _directory["out"], new QuantizeOptions { Scheme = scheme }))!;
            using (Assert.EnterMultipleScope())
            {
                Assert.That(e.Rule, Is.EqualTo(FormatRules.NonFinite));
                Assert.That(e.TensorName, Is.EqualTo("bad.weight"));
                Assert.That(e.Message, Does.Contain("[7, 11]").And.Contain("skipping 'bad'"));
                Assert.That(Directory.Exists(_directory["out"]), Is.False);
            }
        }

        ConversionReport report = CheckpointQuantizer.Quantize(path, _directory["out"], new QuantizeOptions { Skip = ["bad"] });
        Assert.That(report.ConvertedCount, Is.EqualTo(1));
        Assert.That(CheckpointVerifier.Verify(path).Findings.Single(f => f.Rule == FormatRules.NonFinite).Severity, Is.EqualTo(FindingSeverity.Warning));
    }

    [Test]
    public void A_quantized_checkpoint_is_not_quantized_again()
    {
        CheckpointQuantizer.Quantize(TinyModel.Write(_directory["in"]), _directory["q"]);
        CheckpointFormatException e = Assert.Throws<CheckpointFormatException>(() => CheckpointQuantizer.Quantize(_directory["q"], _directory["out"]))!;
        Assert.That(e.Rule, Is.EqualTo(FormatRules.AlreadyQuantized));
        Assert.That(e.Message, Does.Contain("nf4").And.Contain("dequantize"));
    }

    [Test]
    public void A_checkpoint_quantized_by_another_method_is_refused()
    {
        string input = TinyModel.Write(_directory["in"]);
        File.WriteAllText(_directory["in/config.json"], "{\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4}}");
        Assert.That(
            Assert.Throws<CheckpointFormatException>(() => CheckpointQuantizer.Quantize(input, _directory["out"]))!.Message, Does.Contain("gptq"));
        Assert.That(
            Assert.Throws<CheckpointFormatException>(() => CheckpointDequantizer.Dequantize(input, _directory["out"]))!.Message, Does.Contain("gptq"));
    }

    [Test]
    public void A_checkpoint_without_linear_layers_is_refused()
    {
        string path = _directory["x.safetensors"];
        File.WriteAllBytes(path, RawFile.Of(("a.weight", "F32", [4], new byte[16]), ("b", "F32", [2, 2], new byte[16])));
        Assert.Throws<CheckpointFormatException>(() => CheckpointQuantizer.Quantize(path, _directory["out"]));
    }

    [Test]
    public void A_dry_run_decides_everything_and_writes_nothing()
    {
        string input = TinyModel.Write(_directory["in"]);
        ConversionReport report = CheckpointQuantizer.Quantize(input, _directory["out"], new QuantizeOptions { DryRun = true });
        Assert.That(Directory.Exists(_directory["out"]), Is.False);
        ConversionReport real = CheckpointQuantizer.Quantize(input, _directory["out"]);
        Assert.That(report.OutputBytes, Is.EqualTo(real.OutputBytes));
        Assert.That(report.Tensors.Select(t => t.Name), Is.EqualTo(real.Tensors.Select(t => t.Name)));
    }

    [Test]
    public void Conv1D_weights_are_transposed_before_they_are_quantized()
    {
        float[] weights = RawFile.Weights(48 * 96, 4);
        Directory.CreateDirectory(_directory["in"]);
        File.WriteAllText(_directory["in/config.json"], "{\"model_type\": \"gpt2\"}");
        File.WriteAllBytes(_directory["in/model.safetensors"], RawFile.Of(("h.0.attn.c_attn.weight", "F32", [48, 96], RawFile.Floats(weights))));
        CheckpointQuantizer.Quantize(_directory["in"], _directory["out"], new QuantizeOptions { Scheme = WeightScheme.Int8, ChunkBytes = 1 << 14 });
        IndependentReader reader = new(_directory["out"]);
        Assert.That(reader["h.0.attn.c_attn.weight"].Shape, Is.EqualTo(new long[] { 96, 48 }));
        float[] decoded = reader.Int8("h.0.attn.c_attn");
        for (int o = 0; o < 96; o++)
        {
            for (int i = 0; i < 48; i++)
            {
                Assert.That(decoded[(o * 48) + i], Is.EqualTo(weights[(i * 96) + o]).Within(0.002));
            }
        }
    }

    [Test]
    public void Progress_ends_at_the_total()
    {
        string input = TinyModel.Write(_directory["in"]);
        List<CheckpointProgress> seen = [];
        CheckpointQuantizer.Quantize(input, _directory["q"], new QuantizeOptions { ChunkBytes = 1 << 14 }, new Recorder(seen));
        Assert.That(seen.Select(p => p.BytesDone), Is.Ordered);
        Assert.That(seen[^1].BytesDone, Is.EqualTo(seen[^1].BytesTotal));
        seen.Clear();
        CheckpointDequantizer.Dequantize(_directory["q"], _directory["full"], progress: new Recorder(seen));
        Assert.That(seen[^1].BytesDone, Is.EqualTo(seen[^1].BytesTotal));
        seen.Clear();
        CheckpointVerifier.Verify(_directory["q"], progress: new Recorder(seen));
        Assert.That(seen[^1].BytesDone, Is.EqualTo(seen[^1].BytesTotal));
    }

    [Test]
    public void Reports_are_json_without_reflection()
    {
        string input = TinyModel.Write(_directory["in"]);
        ConversionReport report = CheckpointQuantizer.Quantize(input, _directory["q"]);
        Assert.That(JsonSerializer.Serialize(report, CheckpointJsonContext.Default.ConversionReport), Does.Contain("\"target\": \"nf4\""));
        Assert.That(
            JsonSerializer.Serialize(CheckpointInspector.Inspect(_directory["q"]), CheckpointJsonContext.Default.InspectionReport), Does.Contain("\"scheme\": \"nf4\""));
        Assert.That(
            JsonSerializer.Serialize(CheckpointVerifier.Verify(_directory["q"]), CheckpointJsonContext.Default.VerificationReport), Does.Contain("\"passed\": true"));
        Assert.That(
            JsonSerializer.Serialize(CheckpointComparer.Compare(input, _directory["q"]), CheckpointJsonContext.Default.ComparisonReport), Does.Contain("\"sqnr_decibel\""));
    }

    private static float[] Widen(string dtype, byte[] data) => dtype switch
    {
        "F32" => [.. Enumerable.Range(0, data.Length / 4).Select(i => BitConverter.ToSingle(data, 4 * i))],
        "F16" => [.. Enumerable.Range(0, data.Length / 2).Select(i => (float)BitConverter.ToHalf(data, 2 * i))],
        _ => [.. Enumerable.Range(0, data.Length / 2).Select(i => BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(data, 2 * i) << 16))],
    };

    private static DType DTypeOf(string dtype) => dtype switch { "F32" => DType.Float32, "F16" => DType.Float16, _ => DType.BFloat16 };

    private static string TorchName(string dtype) => dtype switch { "F32" => "float32", "F16" => "float16", _ => "bfloat16" };

    /// <summary>The definition: how many of the midpoints between neighbours lie strictly below.</summary>
    private static int NearestBelow(float[] table, float x)
    {
        int code = 0;
        for (int i = 0; i < 15; i++)
        {
            code += x > (float)(((double)table[i] + table[i + 1]) / 2) ? 1 : 0;
        }

        return code;
    }

    private sealed class Recorder(List<CheckpointProgress> seen) : IProgress<CheckpointProgress>
    {
        public void Report(CheckpointProgress value) => seen.Add(value);
    }
}
