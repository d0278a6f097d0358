namespace Halfbyte.Checkpoints.Tests;

/// <summary>inspect, verify and compare: what they say of good and of odd checkpoints.</summary>
[TestFixture]
internal sealed class ReportsTests
{
    private TestDirectory _directory = null!;

    [SetUp]
    public void SetUp()
    {
        _directory = new TestDirectory();
        TinyModel.Write(_directory["in"]);
    }

    [TearDown]
    public void TearDown() => _directory.Dispose();

    [Test]
    public void Inspect_folds_the_parts_of_a_weight_into_one()
    {
        CheckpointQuantizer.Quantize(_directory["in"], _directory["q"], new QuantizeOptions { DoubleQuantize = true });
        InspectionReport before = CheckpointInspector.Inspect(_directory["in"]);
        InspectionReport after = CheckpointInspector.Inspect(_directory["q"]);
        InspectedTensor weight = after.Tensors.Single(t => t.Name == "model.vision.fc1.weight");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(after.Parameters, Is.EqualTo(before.Parameters));
            Assert.That(after.Bytes, Is.LessThan(before.Bytes));
            Assert.That(after.Tensors.Select(t => t.Name), Is.EquivalentTo(before.Tensors.Select(t => t.Name)));
            Assert.That(after.ModelType, Is.EqualTo("llama"));
            Assert.That(after.Quantization!.LoadIn4Bit, Is.True);
            Assert.That(weight.Scheme, Is.EqualTo(WeightScheme.Nf4));
            Assert.That(weight.Shape, Is.EqualTo(new long[] { 33, 97 }));
            Assert.That(weight.BlockSize, Is.EqualTo(64));
            Assert.That(weight.DoubleQuantized, Is.True);
            Assert.That(weight.OriginalDType, Is.EqualTo("bfloat16"));
            Assert.That(weight.Kind, Is.EqualTo("linear"));
            Assert.That(after.Totals.Select(t => t.Storage), Is.EquivalentTo(new[] { "bfloat16", "nf4+dq", "float32", "int64", "bool" }));
            Assert.That(after.Tensors.Single(t => t.Name == "lm_head.weight").Kind, Is.EqualTo("output embedding"));
        }
    }

    [Test]
    public void Inspect_throws_on_a_broken_checkpoint()
    {
        File.WriteAllBytes(_directory["x.safetensors"], new byte[4]);
        Assert.Throws<CheckpointFormatException>(() => CheckpointInspector.Inspect(_directory["x.safetensors"]));
    }

    [Test]
    public void Compare_measures_what_the_definition_says([Values(WeightScheme.Nf4, WeightScheme.Int8)] WeightScheme scheme)
    {
        CheckpointQuantizer.Quantize(_directory["in"], _directory["q"], new QuantizeOptions { Scheme = scheme });
        ComparisonReport report = CheckpointComparer.Compare(_directory["in"], _directory["q"], new CompareOptions { ChunkBytes = 1 << 14 });
        IndependentReader original = new(_directory["in"], written: false);
        IndependentReader quantized = new(_directory["q"]);
        foreach (string name in TinyModel.LinearNames)
        {
            float[] a = original.Plain(name);
            float[] b = scheme == WeightScheme.Int8 ? quantized.Int8(name[..^7]) : quantized.FourBit(name, "nf4");
            double signal = a.Sum(x => (double)x * x);
            double noise = a.Zip(b).Sum(p => ((double)p.First - p.Second) * ((double)p.First - p.Second));
            double product = a.Zip(b).Sum(p => (double)p.First * p.Second);
            ComparedTensor tensor = report.Tensors.Single(t => t.Name == name);
            using (Assert.EnterMultipleScope())
            {
                Assert.That(tensor.RelativeError, Is.EqualTo(Math.Sqrt(noise / signal)).Within(1e-9));
                Assert.That(tensor.MaxError, Is.EqualTo(a.Zip(b).Max(p => Math.Abs((double)p.First - p.Second))).Within(1e-12));
                Assert.That(tensor.Cosine, Is.EqualTo(product / Math.Sqrt(signal * b.Sum(x => (double)x * x))).Within(1e-9));
                Assert.That(tensor.SqnrDecibel, Is.EqualTo(10 * Math.Log10(signal / noise)).Within(1e-6));
                Assert.That(tensor.Scheme, Is.EqualTo(scheme == WeightScheme.Int8 ? "int8" : "nf4"));
                Assert.That(tensor.Identical, Is.False);
            }
        }

        Assert.That(report.MeasuredCount, Is.EqualTo(4));
        Assert.That(report.IdenticalCount, Is.EqualTo(10));
        Assert.That(report.OnlyInOriginal.Concat(report.OnlyInOther), Is.Empty);
        Assert.That(CheckpointComparer.Compare(_directory["in"], _directory["q"], new CompareOptions { ComparePassedThrough = false }).Tensors, Has.Count.EqualTo(4));
    }

    [Test]
    public void Compare_names_what_only_one_side_has_and_refuses_other_shapes()
    {
        byte[] data = RawFile.Floats(1, 2, 3, 4);
        File.WriteAllBytes(_directory["a.safetensors"], RawFile.Of(("x", "F32", [4], data), ("y", "F32", [2, 2], data)));
        File.WriteAllBytes(_directory["b.safetensors"], RawFile.Of(("z", "F32", [4], data), ("y", "F32", [2, 2], RawFile.Floats(1, 2, 3, 5))));
        ComparisonReport report = CheckpointComparer.Compare(_directory["a.safetensors"], _directory["b.safetensors"]);
        Assert.That(report.OnlyInOriginal, Is.EqualTo(new[] { "x" }));
        Assert.That(report.OnlyInOther, Is.EqualTo(new[] { "z" }));
        Assert.That(report.MaxError, Is.EqualTo(1));
        File.WriteAllBytes(_directory["c.safetensors"], RawFile.Of(("y", "F32", [4, 1], data)));
        Assert.Throws<CheckpointFormatException>(() => CheckpointComparer.Compare(_directory["a.safetensors"], _directory["c.safetensors"]));
    }

    [Test]
    public void Verify_finds_a_configuration_that_contradicts_the_weights()
    {
        CheckpointQuantizer.Quantize(_directory["in"], _directory["q"]);
        string config = _directory["q/config.json"];
        string text = File.ReadAllText(config);
        Check(text, null);
        Check(TinyModel.Config, FormatRules.QuantizationConfig);
        Check(text.Replace("\"bnb_4bit_quant_type\": \"nf4\"", "\"bnb_4bit_quant_type\": \"fp4\"", StringComparison.Ordinal), FormatRules.QuantizationConfig);
        File.Copy(_directory["in/model.safetensors"], _directory["q/model.safetensors"], overwrite: true);
        Check(text, FormatRules.QuantizationConfig);

        void Check(string json, string? rule)
        {
            File.WriteAllText(config, json);
            VerificationReport report = CheckpointVerifier.Verify(_directory["q"]);
            Assert.That(report.Passed, Is.EqualTo(rule is null), string.Join('\n', report.Findings.Select(f => f.Message)));
            if (rule is not null)
            {
                Assert.That(report.Findings.Where(f => f.Severity == FindingSeverity.Error).Select(f => f.Rule), Is.All.EqualTo(rule));
            }
        }
    }

    [Test]
    public void Verify_warns_of_a_layer_python_will_expect_quantized()
    {
        CheckpointQuantizer.Quantize(_directory["in"], _directory["q"], new QuantizeOptions { Skip = ["lm_head", "fc1"] });
        string config = _directory["q/config.json"];
        Assert.That(CheckpointVerifier.Verify(_directory["q"]).Findings, Is.Empty);
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"fc1\"", "\"fc2\"", StringComparison.Ordinal));
        Assert.That(CheckpointVerifier.Verify(_directory["q"]).Findings.Single().Tensor, Is.EqualTo("model.vision.fc1.weight"));
    }

    [Test]
    public void Verify_without_data_reads_headers_only_and_findings_are_limited()
    {
        float[] bad = [.. Enumerable.Repeat(float.NaN, 16)];
        File.WriteAllBytes(_directory["x.safetensors"], RawFile.Of([.. Enumerable.Range(0, 10).Select(i => ($"t{i}", "F32", new long[] { 16 }, RawFile.Floats(bad)))]));
        Assert.That(CheckpointVerifier.Verify(_directory["x.safetensors"], new VerifyOptions { ReadData = false }).Findings, Is.Empty);
        VerificationReport report = CheckpointVerifier.Verify(_directory["x.safetensors"], new VerifyOptions { MaxFindings = 3 });
        Assert.That(report.Findings, Has.Count.EqualTo(3));
        Assert.That(report.FindingsOmitted, Is.EqualTo(7));
    }
}
