using System.Text;

namespace Halfbyte.Checkpoints.Tests;

/// <summary>config.json is edited in place: all other members keep their bytes and their order.</summary>
[TestFixture]
internal sealed class ModelConfigTests
{
    private static ModelConfig Parse(string json) => ModelConfig.Parse(Encoding.UTF8.GetBytes(json), "config.json");

    private static string Quantized(string json) =>
        Encoding.UTF8.GetString(Parse(json).WithQuantization(new QuantizationConfig { LoadIn4Bit = true, QuantType = "nf4" }));

    [TestCase("{}")]
    [TestCase("{\n}\n")]
    [TestCase("{\"a\": 1}")]
    [TestCase("{\"z\": 1, \"a\": {\"b\": [1, 2.50, \"\\u00e9é\"]}}\n")]
    [TestCase("{\n  \"a\": 1,\n  \"z\": 1e2\n}\n")]
    [TestCase("{\n  \"z\": [\n    1\n  ]\n}\n")]
    [TestCase("{\n  \"a\": \"x\"\n}\n")]
    public void Adding_and_removing_gives_the_same_bytes(string json)
    {
        string with = Quantized(json);
        ModelConfig config = Parse(with);
        Assert.That(config.Quantization, Is.EqualTo(new QuantizationConfig { LoadIn4Bit = true, QuantType = "nf4" }));
        string without = Encoding.UTF8.GetString(config.WithoutQuantization());
        Assert.That(without, Is.EqualTo(json).Or.EqualTo("{\n  \n}").Or.EqualTo("{\n  \n\n}\n"));
    }

    [Test]
    public void In_a_sorted_file_the_member_takes_its_place() =>
        Assert.That(Quantized("{\n  \"a\": 1,\n  \"z\": 2\n}\n"), Does.StartWith("{\n  \"a\": 1,\n  \"quantization_config\": {\n    \"_load_in_4bit\": true").And.EndsWith("\n  },\n  \"z\": 2\n}\n"));

    [Test]
    public void In_an_unsorted_file_the_member_goes_last() =>
        Assert.That(Quantized("{\n  \"z\": 1,\n  \"a\": 2\n}\n"), Does.StartWith("{\n  \"z\": 1,\n  \"a\": 2,\n  \"quantization_config\": {").And.EndsWith("\n  }\n}\n"));

    [TestCase("{\"quantization_config\": null, \"z\": 1}")]
    [TestCase("{\"a\": 1, \"quantization_config\": null}")]
    [TestCase("{\"a\": 1, \"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4}, \"z\": 1}")]
    public void An_old_member_is_replaced(string json)
    {
        string with = Quantized(json);
        Assert.That(with.Split("\"quantization_config\""), Has.Length.EqualTo(2));
        Assert.That(Parse(with).Quantization!.QuantType, Is.EqualTo("nf4"));
    }

    [Test]
    public void Facts_are_found_in_the_language_models_part_too()
    {
        ModelConfig config = Parse("""{"model_type": "magma", "text_config": {"vocab_size": 7, "tie_word_embeddings": true, "torch_dtype": "float16"}}""");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(config.ModelType, Is.EqualTo("magma"));
            Assert.That(config.VocabSize, Is.EqualTo(7));
            Assert.That(config.TieWordEmbeddings, Is.True);
            Assert.That(config.TorchDType, Is.EqualTo("float16"));
        }
    }

    [Test]
    public void Defaults_are_those_of_transformers()
    {
        QuantizationConfig config = Parse("""{"quantization_config": {"quant_method": "bitsandbytes"}}""").Quantization!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(config, Is.EqualTo(new QuantizationConfig()));
            Assert.That(config.Int8Threshold, Is.EqualTo(6.0));
            Assert.That(config.SkipModules, Is.Null);
            Assert.That(config.ComputeDType, Is.EqualTo("float32"));
            Assert.That(config.QuantType, Is.EqualTo("fp4"));
            Assert.That(config.QuantStorage, Is.EqualTo("uint8"));
        }
    }

    [Test]
    public void Files_older_than_quant_method_are_recognized()
    {
        QuantizationConfig config = Parse("""{"quantization_config": {"load_in_8bit": true, "llm_int8_threshold": 5}}""").Quantization!;
        Assert.That(config.QuantMethod, Is.EqualTo("bitsandbytes"));
        Assert.That(config.LoadIn8Bit, Is.True);
        Assert.That(config.Int8Threshold, Is.EqualTo(5));
    }
}
