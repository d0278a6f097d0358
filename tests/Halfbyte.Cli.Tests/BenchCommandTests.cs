using System.Text.Json;

using Halfbyte.Cli.Bench;
using Halfbyte.Cli.Bench.Peers;

namespace Halfbyte.Cli.Tests;

public class BenchCommandTests
{
    [Test]
    public void A_quick_run_has_every_row_with_the_agreed_members()
    {
        JsonElement rows = ToolRun.Of("bench", "--quick", "--json").Json();

        Assert.That(rows.ValueKind, Is.EqualTo(JsonValueKind.Array));
        Assert.That(rows.EnumerateArray().Select(row => row.GetProperty("name").GetString()), Is.EqualTo(BenchCase.All.Select(one => one.Name)));
        foreach (JsonElement row in rows.EnumerateArray())
        {
            Assert.That(
                row.EnumerateObject().Select(member => member.Name), Is.EqualTo(new[] { "name", "value", "unit", "against", "ratio", "must" }));
            Assert.That(row.GetProperty("value").GetDouble(), Is.GreaterThanOrEqualTo(0));
            Assert.That(row.GetProperty("ratio").GetDouble(), Is.GreaterThanOrEqualTo(0));
            Assert.That(row.GetProperty("unit").GetString(), Is.Not.Empty);
            Assert.That(row.GetProperty("against").GetString(), Is.Not.Empty);
            Assert.That(row.GetProperty("must").ValueKind, Is.AnyOf(JsonValueKind.Null, JsonValueKind.Number));
        }
    }

    [Test]
    public void The_promises_are_those_of_the_documentation()
    {
        JsonElement rows = ToolRun.Of("bench", "--quick", "--json").Json();
        var promised = rows.EnumerateArray()
            .Where(row => row.GetProperty("must").ValueKind == JsonValueKind.Number)
            .ToDictionary(row => row.GetProperty("name").GetString()!, row => row.GetProperty("must").GetDouble());

        Assert.That(promised, Is.EquivalentTo(new Dictionary<string, double>
        {
            ["dequantize nf4 to bf16"] = 0.8,
            ["quantize bf16 to nf4"] = 0.3,
            ["nf4 product M=1 bf16, cold"] = 0.6,
            ["nf4 product M=64 bf16, cold, over dot products"] = 3,
            ["Linear4Bit.Forward over the bare native call"] = 1,
            ["bytes allocated by Linear4Bit.Forward"] = 1,
        }));
    }

    [Test]
    public void A_forward_call_allocates_nothing()
    {
        JsonElement rows = ToolRun.Of("bench", "--quick", "--json", "--filter", "allocated").Json();

        Assert.That(rows.GetArrayLength(), Is.EqualTo(1));
        Assert.That(rows[0].GetProperty("value").GetDouble(), Is.Zero);
    }

    [Test]
    public void Output_writes_the_machine_beside_the_rows()
    {
        using var directory = new TemporaryDirectory();

        ToolRun run = ToolRun.Of("bench", "--quick", "--filter", "dequantize nf4", "--threads", "1", "--output", directory["results.json"]);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        using var json = JsonDocument.Parse(File.ReadAllText(directory["results.json"]));
        Assert.That(json.RootElement.GetProperty("machine").GetProperty("cpu").GetString(), Is.Not.Empty);
        Assert.That(json.RootElement.GetProperty("settings").GetProperty("threads").GetInt32(), Is.EqualTo(1));
        Assert.That(json.RootElement.GetProperty("results").GetArrayLength(), Is.EqualTo(2));
        Assert.That(Directory.GetFiles(directory.Path), Has.Length.EqualTo(1));
    }

    [TestCase("M=1", true)]
    [TestCase("m=1 bf16", true)]
    [TestCase("product", true)]
    [TestCase("M=16", false)]
    [TestCase("M=", true)]
    public void A_filter_takes_numbers_as_a_whole(string filter, bool isInFirst)
    {
        Assert.That(new BenchCase("nf4 product M=1 bf16", null!).Matches(filter), Is.EqualTo(isInFirst));
        Assert.That(new BenchCase("nf4 product M=16 bf16, M=128", null!).Matches(filter), Is.EqualTo(filter is not ("M=1" or "m=1 bf16")));
    }

    [TestCase("no-such-directory/results.json")]
    [TestCase("")]
    public void An_output_that_cannot_be_written_is_noticed_before_anything_is_measured(string name)
    {
        using var directory = new TemporaryDirectory();

        ToolRun run = ToolRun.Of("bench", "--quick", "--filter", "allocated", "--output", directory[name]);

        Assert.That(run.ExitCode, Is.EqualTo(2), run.Error);
        Assert.That(run.Error, Does.StartWith("halfbyte: --output: ").And.Not.Contain("[1/1]"));
        Assert.That(run.Output, Is.Empty);
    }

    [Test]
    public void The_single_precision_peer_multiplies([Values(1, 5, 64, 70)] int m, [Values(1, 3)] int threads)
    {
        const int N = 12;
        const int K = 1100; // more than one panel
        using var team = new ThreadTeam(threads);
        using NativeBuffer x = BenchData.Activations(DType.Float32, m, K);
        using NativeBuffer weight = BenchData.Activations(DType.Float32, N, K);
        using var y = new NativeBuffer(m * N * sizeof(float));
        using var product = new SinglePrecisionProduct(team, m, N, K);

        product.Multiply(x.Pointer, weight.Pointer, y.Pointer);

        (double[] exact, double[] magnitude) = Halfbyte.Cli.Doctor.Reference.Multiply(x.Span<float>(), weight.Span<float>(), m, N, K);
        for (int i = 0; i < exact.Length; i++)
        {
            Assert.That(y.Span<float>()[i], Is.EqualTo(exact[i]).Within(1e-5 * magnitude[i]));
        }
    }

    [Test]
    public void The_memory_peers_touch_every_byte([Values(0, 1, 4095, 100_001)] int words, [Values(1, 2)] int threads)
    {
        using var team = new ThreadTeam(threads);
        using var source = new NativeBuffer(words * sizeof(long));
        using var destination = new NativeBuffer(words * sizeof(long));
        Span<long> values = source.Span<long>();
        long sum = 0;
        for (int i = 0; i < words; i++)
        {
            values[i] = i * 3L;
            sum += values[i];
        }

        MemoryPass.Copy(team, source.Pointer, destination.Pointer, source.ByteLength);

        Assert.That(destination.Span<long>().SequenceEqual(values), Is.True);
        Assert.That(MemoryPass.Read(team, source.Pointer, source.ByteLength), Is.EqualTo(sum));
    }
}
