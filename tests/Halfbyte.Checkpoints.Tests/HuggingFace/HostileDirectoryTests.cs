namespace Halfbyte.Checkpoints.Tests;

/// <summary>Attacks on the files around the tensors: index, shards, links, config.json.</summary>
[TestFixture]
internal sealed class HostileDirectoryTests
{
    private TestDirectory _directory = null!;

    [SetUp]
    public void SetUp() => _directory = new TestDirectory();

    [TearDown]
    public void TearDown() => _directory.Dispose();

    private string Model => _directory["model"];

    private string ModelFile(string name) => Path.Combine(Model, name);

    private void WriteIndex(string weightMap, string metadata = "{}")
    {
        Directory.CreateDirectory(Model);
        File.WriteAllText(ModelFile("model.safetensors.index.json"), $"{{\"metadata\": {metadata}, \"weight_map\": {weightMap}}}");
    }

    private void WriteShard(string name, string tensor) =>
        File.WriteAllBytes(ModelFile(name), RawFile.Of((tensor, "F32", [2, 2], RawFile.Floats(1, 2, 3, 4))));

    [TestCase("../secret.safetensors")]
    [TestCase("..")]
    [TestCase(".")]
    [TestCase("")]
    [TestCase("sub/model.safetensors")]
    [TestCase("/etc/passwd")]
    [TestCase("\\\\\\\\server\\\\share\\\\x.safetensors")]
    [TestCase("..\\\\secret.safetensors")]
    [TestCase("C:\\\\secret.safetensors")]
    [TestCase("C:secret.safetensors")]
    [TestCase("file:secret")]
    [TestCase("a\\u0000b.safetensors")]
    [TestCase("a\\nb.safetensors")]
    [TestCase("trailing. ")]
    public void A_shard_outside_the_directory(string shard)
    {
        WriteIndex($"{{\"w\": \"{shard}\"}}");
        File.WriteAllBytes(_directory["secret.safetensors"], RawFile.Of(("w", "U8", [1], [1])));
        Refused.ByAll(Model, FormatRules.ShardPath);
    }

    [Test]
    public void A_shard_that_links_outside_the_directory()
    {
        WriteIndex("{\"w\": \"model-00001-of-00001.safetensors\"}");
        File.WriteAllBytes(_directory["secret.safetensors"], RawFile.Of(("w", "U8", [1], [1])));
        TestDirectory.Link(ModelFile("model-00001-of-00001.safetensors"), "../secret.safetensors");
        Refused.ByAll(Model, FormatRules.ShardPath);
    }

    [Test]
    public void A_single_file_or_config_that_links_outside_the_directory()
    {
        Directory.CreateDirectory(Model);
        File.WriteAllBytes(_directory["secret.safetensors"], RawFile.Of(("w", "U8", [1], [1])));
        TestDirectory.Link(ModelFile("model.safetensors"), _directory["secret.safetensors"]);
        Refused.ByAll(Model, FormatRules.ShardPath);
        File.Delete(ModelFile("model.safetensors"));
        WriteShard("model.safetensors", "w");
        File.WriteAllText(_directory["secret.json"], "{}");
        TestDirectory.Link(ModelFile("config.json"), "../secret.json");
        Refused.ByAll(Model, FormatRules.ShardPath);
    }

    [Test]
    public void A_companion_file_that_links_outside_the_directory_is_not_copied()
    {
        TinyModel.Write(Model);
        File.WriteAllText(_directory["secret.txt"], "secret");
        TestDirectory.Link(ModelFile("notes.txt"), "../secret.txt");
        CheckpointFormatException e = Assert.Throws<CheckpointFormatException>(() => CheckpointQuantizer.Quantize(Model, _directory["out"]))!;
        Assert.That(e.Rule, Is.EqualTo(FormatRules.ShardPath));
        Assert.That(Directory.Exists(_directory["out"]), Is.False);
    }

    [Test]
    public void Links_into_the_blobs_of_a_hugging_face_cache_are_followed()
    {
        string repository = _directory["models--tiny"];
        TinyModel.Write(Path.Combine(repository, "blobs"));
        string snapshot = Path.Combine(repository, "snapshots", "abc");
        Directory.CreateDirectory(snapshot);
        foreach (string file in Directory.GetFiles(Path.Combine(repository, "blobs")))
        {
            TestDirectory.Link(Path.Combine(snapshot, Path.GetFileName(file)), "../../blobs/" + Path.GetFileName(file));
        }

        ConversionReport report = CheckpointQuantizer.Quantize(snapshot, _directory["out"]);
        Assert.That(report.ConvertedCount, Is.EqualTo(4));
        Assert.That(File.ReadAllText(_directory["out/tokenizer.json"]), Is.EqualTo("{\"version\": \"1.0\"}\n"));
        Assert.That(new FileInfo(_directory["out/tokenizer.json"]).LinkTarget, Is.Null);
    }

    [Test]
    public void A_missing_shard()
    {
        WriteIndex("{\"w\": \"model-00001-of-00001.safetensors\"}");
        Refused.ByAll(Model, FormatRules.ShardIndex);
    }

    [Test]
    public void A_tensor_its_shard_does_not_hold()
    {
        WriteIndex("{\"w\": \"a.safetensors\", \"v\": \"a.safetensors\"}");
        WriteShard("a.safetensors", "w");
        Refused.ByAll(Model, FormatRules.ShardIndex);
    }

    [Test]
    public void A_tensor_in_another_shard_than_listed()
    {
        WriteIndex("{\"w\": \"b.safetensors\", \"v\": \"a.safetensors\"}");
        WriteShard("a.safetensors", "w");
        WriteShard("b.safetensors", "v");
        Refused.ByAll(Model, FormatRules.ShardIndex);
    }

    [Test]
    public void The_same_tensor_in_two_shards()
    {
        WriteIndex("{\"w\": \"a.safetensors\", \"v\": \"b.safetensors\"}");
        WriteShard("a.safetensors", "w");
        File.WriteAllBytes(ModelFile("b.safetensors"), RawFile.Of(("v", "U8", [1], [1]), ("w", "U8", [1], [1])));
        Refused.ByAll(Model, FormatRules.ShardIndex);
    }

    [Test]
    public void The_same_tensor_twice_in_the_index()
    {
        WriteIndex("{\"w\": \"a.safetensors\", \"\\u0077\": \"a.safetensors\"}");
        WriteShard("a.safetensors", "w");
        Refused.ByAll(Model, FormatRules.ShardIndex);
    }

    [TestCase("{\"total_size\": 15}")]
    [TestCase("{\"total_size\": -16}")]
    [TestCase("{\"total_size\": 16.5}")]
    [TestCase("{\"total_size\": \"16\"}")]
    [TestCase("{\"total_size\": 1e300}")]
    [TestCase("{\"total_size\": 16, \"total_size\": 16}")]
    [TestCase("[]")]
    public void A_total_size_that_lies(string metadata)
    {
        WriteIndex("{\"w\": \"a.safetensors\"}", metadata);
        WriteShard("a.safetensors", "w");
        Refused.ByAll(Model, FormatRules.ShardIndex);
    }

    [TestCase("{\"total_size\": 16}")]
    [TestCase("{\"total_size\": 16.0}")]
    [TestCase("{}")]
    public void A_total_size_that_is_true_or_absent(string metadata)
    {
        WriteIndex("{\"w\": \"a.safetensors\"}", metadata);
        WriteShard("a.safetensors", "w");
        using CheckpointReader reader = CheckpointReader.Open(Model);
        Assert.That(reader.Tensors, Has.Count.EqualTo(1));
    }

    [TestCase("")]
    [TestCase("[]")]
    [TestCase("{}")]
    [TestCase("{\"weight_map\": {}}")]
    [TestCase("{\"weight_map\": []}")]
    [TestCase("{\"weight_map\": {\"w\": 1}}")]
    [TestCase("{\"weight_map\": {\"w\": null}}")]
    [TestCase("{\"weight_map\": {\"w\": \"a.safetensors\"}, \"weight_map\": {\"w\": \"a.safetensors\"}}")]
    [TestCase("{\"weight_map\": {\"w\": \"a.safetensors\"}} x")]
    [TestCase("{\"weight_map\": {\"\\ud800\": \"a.safetensors\"}}")]
    public void An_index_of_another_structure(string json)
    {
        Directory.CreateDirectory(Model);
        File.WriteAllText(ModelFile("model.safetensors.index.json"), json);
        WriteShard("a.safetensors", "w");
        WriteShard("b.safetensors", "v");
        Refused.ByAll(Model, FormatRules.ShardIndex);
    }

    [Test]
    public void An_index_or_config_longer_than_the_limit()
    {
        WriteIndex("{\"w\": \"a.safetensors\"}");
        WriteShard("a.safetensors", "w");
        Refused.ByAll(Model, FormatRules.ShardIndex, new CheckpointLimits { MaxIndexBytes = 20 });
        File.WriteAllText(ModelFile("config.json"), "{" + new string(' ', 2 << 20) + "}");
        Refused.ByAll(Model, FormatRules.Config);
    }

    [TestCase("", FormatRules.Config)]
    [TestCase("[]", FormatRules.Config)]
    [TestCase("{\"a\":1,\"a\":2}", FormatRules.Config)]
    [TestCase("{\"model_type\":\"\\ud800\"}", FormatRules.Config)]
    [TestCase("{\"quantization_config\":[]}", FormatRules.QuantizationConfig)]
    [TestCase("{\"quantization_config\":{}}", FormatRules.QuantizationConfig)]
    [TestCase("{\"quantization_config\":{\"load_in_4bit\":true,\"load_in_8bit\":true}}", FormatRules.QuantizationConfig)]
    [TestCase("{\"quantization_config\":{\"load_in_4bit\":\"yes\"}}", FormatRules.QuantizationConfig)]
    [TestCase("{\"quantization_config\":{\"load_in_4bit\":true,\"llm_int8_skip_modules\":\"lm_head\"}}", FormatRules.QuantizationConfig)]
    [TestCase("{\"quantization_config\":{\"load_in_4bit\":true,\"llm_int8_skip_modules\":[1]}}", FormatRules.QuantizationConfig)]
    [TestCase("{\"quantization_config\":{\"load_in_4bit\":true,\"llm_int8_skip_modules\":[\"\\ud800\"]}}", FormatRules.QuantizationConfig)]
    [TestCase("{\"quantization_config\":{\"load_in_4bit\":true,\"llm_int8_threshold\":1e999}}", FormatRules.QuantizationConfig)]
    public void A_config_of_another_structure(string json, string rule)
    {
        TinyModel.Write(Model);
        File.WriteAllText(ModelFile("config.json"), json);
        Refused.ByAll(Model, rule);
    }

    [TestCase("{\"\xFF\":1}")]
    [TestCase("{\"a\":\"\xFF\"}")]
    [TestCase("\xEF\xBB\xBF{}")]
    public void A_config_that_is_not_utf8(string json)
    {
        TinyModel.Write(Model);
        File.WriteAllBytes(ModelFile("config.json"), [.. json.Select(c => (byte)c)]);
        Refused.ByAll(Model, FormatRules.Config);
    }

    [Test]
    public void A_skip_entry_that_would_be_an_explosive_regular_expression_is_plain_text()
    {
        TinyModel.Write(Model);
        ConversionReport report = CheckpointQuantizer.Quantize(Model, _directory["out"], new QuantizeOptions { Skip = ["(a+)+$", "lm_head"] });
        Assert.That(report.Warnings, Has.Some.Contain("(a+)+$"));
    }

    [Test]
    public void Nothing_there()
    {
        Refused.ByAll(_directory["absent"], FormatRules.Missing);
        Directory.CreateDirectory(Model);
        Refused.ByAll(Model, FormatRules.Missing);
        File.WriteAllText(ModelFile("pytorch_model.bin"), "x");
        Assert.That(Refused.ByAll(Model, FormatRules.Missing).Message, Does.Contain("pickle"));
    }

    [Test]
    public void Several_files_without_an_index()
    {
        Directory.CreateDirectory(Model);
        WriteShard("model-00001-of-00002.safetensors", "w");
        WriteShard("model-00002-of-00002.safetensors", "v");
        Refused.ByAll(Model, FormatRules.Missing);
    }

    [Test]
    public void A_directory_where_a_file_should_be()
    {
        Directory.CreateDirectory(ModelFile("x.safetensors"));
        WriteIndex("{\"w\": \"x.safetensors\"}");
        Refused.ByAll(Model, FormatRules.ShardIndex);
    }
}
