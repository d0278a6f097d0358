using System.Text.Json;

namespace Halfbyte.Cli.Tests;

/// <summary>The names in every document that <c>--json</c> or <c>--output</c> makes. Scripts rely on them.</summary>
public class JsonNamesTests
{
    private const string Conversion =
        "block_size converted_count double_quantized dry_run files input input_bytes output output_bytes passed_through_count "
        + "peak_resident_bytes ratio seconds target tensors tensors.from tensors.input_bytes tensors.name tensors.output_bytes "
        + "tensors.reason tensors.shape tensors.to warnings";

    private TemporaryDirectory _directory = null!;
    private string _model = null!;

    [SetUp]
    public void SetUp()
    {
        _directory = new TemporaryDirectory();
        _model = TinyCheckpoint.WriteModel(_directory["model"]);
    }

    [TearDown]
    public void TearDown() => _directory.Dispose();

    [Test]
    public void Of_conversions()
    {
        AssertNames(ToolRun.Of("quantize", _model, _directory["out"], "--format", "nf4", "--json").Json(), Conversion);
        AssertNames(ToolRun.Of("dequantize", _directory["out"], _directory["again"], "--json").Json(), Conversion);
    }

    [Test]
    public void Of_an_inspection()
    {
        ToolRun.Of("quantize", _model, _directory["out"], "--format", "int8");

        JsonElement json = ToolRun.Of("inspect", _directory["out"], "--json").Json();

        AssertNames(
            json,
            "bytes files model_type parameters path quantization quantization.bnb_4bit_compute_dtype quantization.bnb_4bit_quant_storage "
            + "quantization.bnb_4bit_quant_type quantization.bnb_4bit_use_double_quant quantization.llm_int8_enable_fp32_cpu_offload "
            + "quantization.llm_int8_has_fp16_weight quantization.llm_int8_skip_modules quantization.llm_int8_threshold "
            + "quantization.load_in_4bit quantization.load_in_8bit quantization.quant_method tensors tensors.block_size tensors.bytes "
            + "tensors.double_quantized tensors.dtype tensors.elements tensors.file tensors.kind tensors.name tensors.original_dtype "
            + "tensors.scheme tensors.shape totals totals.bytes totals.elements totals.storage totals.tensors");
        Assert.That(
            json.GetProperty("tensors").EnumerateArray().Select(tensor => tensor.GetProperty("scheme").GetString()).Distinct(),
            Is.EquivalentTo(new[] { "none", "int8" }));
    }

    [Test]
    public void Of_a_verification()
    {
        ToolRun.Of("quantize", _model, _directory["out"], "--format", "nf4");
        File.WriteAllText(Path.Combine(_directory["out"], "config.json"), """{"quantization_config": {"quant_method": "gptq"}}""");

        ToolRun run = ToolRun.Of("verify", _directory["out"], "--json");

        JsonElement json = JsonDocument.Parse(run.Output).RootElement;
        AssertNames(
            json,
            "bytes_read findings findings.file findings.message findings.rule findings.severity findings.tensor findings_omitted passed path "
            + "quantized_weights tensors");
        Assert.That(json.GetProperty("findings")[0].GetProperty("severity").GetString(), Is.EqualTo("error").Or.EqualTo("warning"));
    }

    [Test]
    public void Of_a_comparison()
    {
        ToolRun.Of("quantize", _model, _directory["out"], "--format", "nf4");

        AssertNames(
            ToolRun.Of("compare", _model, _directory["out"], "--json").Json(),
            "identical_count max_error measured_count only_in_original only_in_other original other relative_error tensors tensors.cosine "
            + "tensors.identical tensors.max_error tensors.name tensors.relative_error tensors.scheme tensors.shape tensors.sqnr_decibel");
    }

    [Test]
    public void Of_a_diagnosis() => AssertNames(
        ToolRun.Of("doctor", "--json").Json(),
        "abi_version devices devices.available devices.device devices.free_bytes devices.milliseconds devices.name devices.passed devices.path "
        + "devices.self_test devices.total_bytes fix healthy library_trace native_version no_cuda_reason operating_system runtime settings "
        + "settings.name settings.problem settings.value tool_version verdict");

    [Test]
    public void Of_a_measurement()
    {
        ToolRun run = ToolRun.Of("bench", "--quick", "--filter", "allocated", "--json", "--output", _directory["results.json"]);

        AssertNames(run.Json(), "against must name ratio unit value");
        AssertNames(
            JsonDocument.Parse(File.ReadAllText(_directory["results.json"])).RootElement,
            "machine machine.cpu machine.date machine.last_level_cache_bytes machine.native_version machine.operating_system machine.processors "
            + "machine.runtime machine.stream machine.version results results.against results.best_seconds results.median_seconds results.met "
            + "results.must results.name results.peer_best_seconds results.peer_median_seconds results.ratio results.repetitions results.unit "
            + "results.value settings settings.filter settings.k settings.n settings.quick settings.threads");
    }

    /// <summary>The names in a document, those of nested objects and of the elements of lists after a dot.</summary>
    internal static IEnumerable<string> Names(JsonElement element, string prefix = "") => element.ValueKind switch
    {
        JsonValueKind.Array => element.EnumerateArray().SelectMany(item => Names(item, prefix)).Distinct(),
        JsonValueKind.Object => element.EnumerateObject().SelectMany(
            member => Names(member.Value, prefix + member.Name + ".").Prepend(prefix + member.Name)).Distinct(),
        _ => [],
    };

    private static void AssertNames(JsonElement document, string names) =>
        Assert.That(string.Join(' ', Names(document).Order(StringComparer.Ordinal)), Is.EqualTo(string.Join(' ', names.Split(' ').Order(StringComparer.Ordinal))));
}
