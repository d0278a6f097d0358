using System.Globalization;

namespace Halfbyte.Checkpoints.Tests;

/// <summary>A layer comes back from a checkpoint as the model defines it: weight, bias and outlier threshold.</summary>
[TestFixture]
internal sealed class LoadLayerTests
{
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

    [TestCase(0)]
    [TestCase(3.5)]
    public void An_int8_layer_has_the_threshold_of_the_configuration(double threshold)
    {
        using Linear8Bit layer = Int8Layer(threshold);
        Assert.That(layer.Threshold, Is.EqualTo((float)threshold));
    }

    [Test]
    public void The_threshold_decides_what_is_multiplied_exactly()
    {
        float[] x = new float[32];
        x[5] = 4; // an outlier from threshold 3.5 on, and the only activation
        x[6] = 0.01f; // rounded to nothing in a row whose largest is 4
        using Linear8Bit none = Int8Layer(0);
        using Linear8Bit some = Int8Layer(3.5);
        float[] rounded = new float[4], exact = new float[4];
        none.Forward<float>(_stream, x, rounded);
        some.Forward<float>(_stream, x, exact);
        Assert.That(exact, Is.Not.EqualTo(rounded));
    }

    [Test]
    public void Without_a_configuration_the_threshold_is_that_of_the_paper()
    {
        using CheckpointReader reader = CheckpointReader.Open(Write(QuantizedFile.Int8()));
        using var layer = (Linear8Bit)reader.LoadLayer("fc.weight", _stream);
        Assert.That(layer.Threshold, Is.EqualTo(6));
    }

    [Test]
    public void Biases_are_added([Values] bool int8)
    {
        QuantizedFile file = int8 ? QuantizedFile.Int8() : QuantizedFile.FourBit().With("fc.bias", "F16", [4], RawFile.Halves(1, 2, 3, 4));
        using CheckpointReader reader = CheckpointReader.Open(Write(file));
        using QuantizedLinear layer = reader.LoadLayer("fc", _stream);
        Assert.That(layer, Is.TypeOf(int8 ? typeof(Linear8Bit) : typeof(Linear4Bit)));
        Assert.That(layer.Name, Is.EqualTo("fc.weight"));
        Assert.That((layer.HasBias, layer.BiasDType), Is.EqualTo((true, DType.Float16)));
        float[] y = new float[4];
        layer.Forward<float>(_stream, new float[32], y);
        Assert.That(y, Is.EqualTo(new float[] { 1, 2, 3, 4 }));
    }

    [Test]
    public void A_module_without_a_bias_has_none()
    {
        using CheckpointReader reader = CheckpointReader.Open(Write(QuantizedFile.Nested()));
        using QuantizedLinear layer = reader.LoadLayer("fc", _stream);
        Assert.That(layer.HasBias, Is.False);
    }

    [Test]
    public void A_bias_of_another_length_breaks_a_rule_of_the_format()
    {
        QuantizedFile file = QuantizedFile.Int8().With("fc.bias", "F16", [3], RawFile.Halves(1, 2, 3));
        using CheckpointReader reader = CheckpointReader.Open(Write(file));
        CheckpointFormatException e = Assert.Throws<CheckpointFormatException>(() => reader.LoadLayer("fc", _stream))!;
        Assert.That(e.Message, Does.Contain("fc.bias").And.Contain("4 elements"));
    }

    [Test]
    public void A_negative_threshold_breaks_a_rule_of_the_format()
    {
        CheckpointFormatException e = Assert.Throws<CheckpointFormatException>(() => Int8Layer(-0.5))!;
        Assert.That(e.Message, Does.Contain("config.json").And.Contain("llm_int8_threshold is -0.5"));
    }

    private Linear8Bit Int8Layer(double threshold)
    {
        string directory = Directory.CreateDirectory(_directory[string.Create(CultureInfo.InvariantCulture, $"threshold{threshold}")]).FullName;
        File.WriteAllBytes(Path.Combine(directory, "model.safetensors"), QuantizedFile.Int8().Bytes());
        File.WriteAllText(
            Path.Combine(directory, "config.json"),
            string.Create(
                CultureInfo.InvariantCulture,
                $$$"""{"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": true, "llm_int8_threshold": {{{threshold}}}}}"""));
        using CheckpointReader reader = CheckpointReader.Open(directory);
        return (Linear8Bit)reader.LoadLayer("fc", _stream);
    }

    private string Write(QuantizedFile file)
    {
        string path = _directory["fc.safetensors"];
        File.WriteAllBytes(path, file.Bytes());
        return path;
    }
}
