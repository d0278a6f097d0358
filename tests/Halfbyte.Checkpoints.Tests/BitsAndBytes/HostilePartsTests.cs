namespace Halfbyte.Checkpoints.Tests;

/// <summary>Attacks on the parts of quantized weights: types, counts, tables, statistics, names.</summary>
[TestFixture]
internal sealed class HostilePartsTests
{
    private TestDirectory _directory = null!;

    [SetUp]
    public void SetUp() => _directory = new TestDirectory();

    [TearDown]
    public void TearDown() => _directory.Dispose();

    private CheckpointFormatException Refuse(QuantizedFile file, string rule, CheckpointLimits? limits = null)
    {
        string path = _directory["model.safetensors"];
        File.WriteAllBytes(path, file.Bytes());
        return Refused.ByAll(path, rule, limits);
    }

    [Test]
    public void The_unbent_files_are_fine()
    {
        foreach ((string name, QuantizedFile file) in new[] { ("a", QuantizedFile.FourBit()), ("b", QuantizedFile.Nested()), ("c", QuantizedFile.Int8()) })
        {
            string path = _directory[name + ".safetensors"];
            File.WriteAllBytes(path, file.Bytes());
            VerificationReport report = CheckpointVerifier.Verify(path);
            Assert.That(report.Findings, Is.Empty);
            Assert.That(CheckpointDequantizer.Dequantize(path, _directory["out-" + name]).ConvertedCount, Is.EqualTo(1));
        }
    }

    [TestCase("fc.weight.absmax")]
    [TestCase("fc.weight.quant_map")]
    [TestCase("fc.weight.quant_state.bitsandbytes__nf4")]
    [TestCase("fc.weight")]
    public void A_missing_part(string name) => Refuse(QuantizedFile.FourBit().Without(name), FormatRules.QuantizedParts);

    [TestCase("fc.weight.nested_absmax")]
    [TestCase("fc.weight.nested_quant_map")]
    public void A_missing_nested_part(string name) => Refuse(QuantizedFile.Nested().Without(name), FormatRules.QuantizedParts);

    [Test]
    public void Both_nested_parts_missing() => Refuse(
        QuantizedFile.Nested().Without("fc.weight.nested_absmax").Without("fc.weight.nested_quant_map"), FormatRules.QuantizedParts);

    [Test]
    public void Nested_parts_the_state_does_not_know() => Refuse(QuantizedFile.Nested().WithState(QuantizedFile.State), FormatRules.QuantizedParts);

    [Test]
    public void Two_states_for_one_weight() => Refuse(
        QuantizedFile.FourBit().With("fc.weight.quant_state.bitsandbytes__fp4", "U8", [QuantizedFile.State.Length], RawFile.Text(QuantizedFile.State)),
        FormatRules.QuantizedParts);

    [Test]
    public void A_state_of_another_type_than_its_key() => Refuse(
        QuantizedFile.FourBit().Renamed("fc.weight.quant_state.bitsandbytes__nf4", "fc.weight.quant_state.bitsandbytes__fp4"), FormatRules.QuantState);

    [Test]
    public void A_key_of_an_unknown_type() => Refuse(
        QuantizedFile.FourBit().Renamed("fc.weight.quant_state.bitsandbytes__nf4", "fc.weight.quant_state.bitsandbytes__int4"), FormatRules.QuantizedParts);

    [Test]
    public void A_part_nobody_knows() => Refuse(QuantizedFile.FourBit().With("fc.weight.extra", "U8", [1], [0]), FormatRules.QuantizedParts);

    [Test]
    public void A_state_that_is_no_bytes() => Refuse(
        QuantizedFile.FourBit().With("fc.weight.quant_state.bitsandbytes__nf4", "F32", [1], new byte[4]), FormatRules.QuantizedParts);

    [Test]
    public void A_state_longer_than_the_limit() => Refuse(
        QuantizedFile.FourBit().WithState(QuantizedFile.State + new string(' ', 20_000)), FormatRules.QuantState);

    [Test]
    public void A_state_with_a_shape_of_another_size() => Refuse(
        QuantizedFile.FourBit().WithState(QuantizedFile.State.Replace("[4, 32]", "[4, 33]", StringComparison.Ordinal)), FormatRules.QuantizedParts);

    [Test]
    public void A_state_with_a_huge_shape() => Refuse(
        QuantizedFile.FourBit().WithState(QuantizedFile.State.Replace("[4, 32]", "[3037000499, 3037000499]", StringComparison.Ordinal)), FormatRules.QuantState);

    [Test]
    public void Codes_of_a_type_that_holds_none() => Refuse(QuantizedFile.FourBit().With("fc.weight", "I32", [16, 1], new byte[64]), FormatRules.QuantizedParts);

    [Test]
    public void Codes_that_are_no_column() => Refuse(QuantizedFile.FourBit().With("fc.weight", "U8", [8, 8], new byte[64]), FormatRules.QuantizedParts);

    [TestCase(1)]
    [TestCase(3)]
    public void A_wrong_number_of_statistics(int count) => Refuse(
        QuantizedFile.FourBit().With("fc.weight.absmax", "F32", [count], new byte[4 * count]), FormatRules.QuantizedParts);

    [Test]
    public void Statistics_of_another_type()
    {
        CheckpointFormatException e = Refuse(
            QuantizedFile.FourBit().With("fc.weight.absmax", "F16", [2], new byte[4]), FormatRules.QuantizedParts);
        Assert.That(e.Message, Does.Contain("fc.weight.absmax").And.Contain("float16").And.Contain("float32"));
    }

    [Test]
    public void A_code_table_of_another_length() => Refuse(
        QuantizedFile.FourBit().With("fc.weight.quant_map", "F32", [15], new byte[60]), FormatRules.QuantizedParts);

    [Test]
    public void A_nested_code_table_of_another_length() => Refuse(
        QuantizedFile.Nested().With("fc.weight.nested_quant_map", "F32", [255], new byte[1020]), FormatRules.QuantizedParts);

    [TestCase(0.5f)]
    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void A_code_table_with_another_value(float value)
    {
        float[] table = [.. QuantizedFile.Nf4];
        table[3] = value;
        Refuse(QuantizedFile.FourBit().With("fc.weight.quant_map", "F32", [16], RawFile.Floats(table)), FormatRules.CodeTable);
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    [TestCase(5f)]
    [TestCase(-0.5f)]
    public void A_nested_code_table_with_an_impossible_value(float value)
    {
        float[] table = [.. Enumerable.Range(0, 256).Select(i => (i - 127) / 128f)];
        table[200] = value;
        Refuse(QuantizedFile.Nested().With("fc.weight.nested_quant_map", "F32", [256], RawFile.Floats(table)), FormatRules.CodeTable);
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    [TestCase(float.NegativeInfinity)]
    [TestCase(-1f)]
    public void An_impossible_statistic(float value)
    {
        Refuse(QuantizedFile.FourBit().With("fc.weight.absmax", "F32", [2], RawFile.Floats(1, value)), FormatRules.Statistics);
        Refuse(QuantizedFile.Nested().With("fc.weight.nested_absmax", "F32", [1], RawFile.Floats(value)), FormatRules.Statistics);
        Refuse(QuantizedFile.Int8().With("fc.SCB", "F32", [4], RawFile.Floats(1, 1, value, 1)), FormatRules.Statistics);
    }

    [Test]
    public void Denormal_statistics_are_numbers_like_others()
    {
        string path = _directory["model.safetensors"];
        File.WriteAllBytes(path, QuantizedFile.FourBit().With("fc.weight.absmax", "F32", [2], RawFile.Floats(1e-42f, 0)).Bytes());
        Assert.That(CheckpointVerifier.Verify(path).Passed, Is.True);
    }

    [Test]
    public void Int8_statistics_without_a_weight() => Refuse(QuantizedFile.Int8().Without("fc.weight"), FormatRules.QuantizedParts);

    [Test]
    public void Int8_statistics_beside_a_float_weight()
    {
        CheckpointFormatException e = Refuse(
            QuantizedFile.Int8().With("fc.weight", "BF16", [4, 32], new byte[256]), FormatRules.QuantizedParts);
        Assert.That(e.Message, Does.Contain("fc.weight").And.Contain("bfloat16").And.Contain("int8"));
    }

    [TestCase("F32", 3)]
    [TestCase("F16", 4)]
    public void Int8_statistics_that_do_not_fit(string dtype, int count) => Refuse(
        QuantizedFile.Int8().With("fc.SCB", dtype, [count], new byte[count * (dtype == "F32" ? 4 : 2)]), FormatRules.QuantizedParts);

    [TestCase((byte)1)]
    [TestCase((byte)3)]
    [TestCase((byte)255)]
    public void Int8_in_a_tiled_layout(byte format) => Refuse(
        QuantizedFile.Int8().With("fc.weight_format", "U8", [], [format]), FormatRules.QuantizedParts);

    [Test]
    public void An_int8_layout_that_is_no_byte() => Refuse(
        QuantizedFile.Int8().With("fc.weight_format", "I64", [], new byte[8]), FormatRules.QuantizedParts);

    [Test]
    public void The_int8_code_no_quantizer_writes_is_a_warning()
    {
        string path = _directory["model.safetensors"];
        byte[] codes = new byte[128];
        codes[77] = 0x80;
        File.WriteAllBytes(path, QuantizedFile.Int8().With("fc.weight", "I8", [4, 32], codes).Bytes());
        VerificationReport report = CheckpointVerifier.Verify(path);
        Assert.That(report.Passed, Is.True);
        Assert.That(report.Findings.Single().Message, Does.Contain("element 77"));
    }
}
