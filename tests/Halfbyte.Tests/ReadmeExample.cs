namespace Halfbyte.Tests;

/// <summary>The README's example, compiled and run.</summary>
public sealed class ReadmeExample
{
    [Test]
    public void It_runs_and_prints()
    {
        TextWriter console = Console.Out;
        using var output = new StringWriter();
        Console.SetOut(output);
        try
        {
            Run();
        }
        finally
        {
            Console.SetOut(console);
        }

        string[] lines = output.ToString().ReplaceLineEndings("\n").TrimEnd().Split('\n');
        Assert.That(lines, Has.Length.EqualTo(2));
        Assert.That(lines[0], Is.EqualTo("nf4[1024x4096] bs=64 dq 2.1 MiB cpu, 4.13 bits per weight"));
        Assert.That(lines[1], Does.Match(@"^y\[0\] = -?\d"));
    }

    [Test]
    public void The_readme_has_it_word_for_word()
    {
        string source = File.ReadAllText(Path.Combine(Repository.ProjectDirectory, "ReadmeExample.cs")).ReplaceLineEndings("\n");
        const string Begin = "// readme-begin\n";
        int begin = source.LastIndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        string region = source[begin..source.LastIndexOf("        // readme-end", StringComparison.Ordinal)];
        string[] lines = [.. region.TrimEnd().Split('\n').Select(line => line.Length > 8 ? line[8..] : "")];
        string readme = File.ReadAllText(Path.Combine(Repository.Root, "README.md")).ReplaceLineEndings("\n");
        Assert.That(readme, Does.Contain("```csharp\nusing Halfbyte;\n\n" + string.Join('\n', lines)));
    }

    [Test]
    public void Every_snippet_says_what_it_uses()
    {
        string[] parts = File.ReadAllText(Path.Combine(Repository.Root, "README.md")).ReplaceLineEndings("\n").Split("```csharp\n");
        Assert.That(parts, Has.Length.AtLeast(3));
        Assert.That(parts.Skip(1), Has.All.StartsWith("using Halfbyte;\n"));
    }

    private static void Run()
    {
        // readme-begin
        const int N = 1024, K = 4096, M = 2;
        var random = new Random(1);
        float[] weight = [.. Enumerable.Range(0, N * K).Select(_ => random.NextSingle() - 0.5f)];
        BFloat16[] x = [.. Enumerable.Range(0, M * K).Select(_ => (BFloat16)(random.NextSingle() - 0.5f))];
        BFloat16[] y = new BFloat16[M * N];

        using ComputeStream stream = ComputeStream.Create(Device.Cpu); // or Device.Cuda(0)
        FourBitTensor quantized = FourBit.Quantize<float>(stream, weight, N, K, new() { DoubleQuantize = true });
        Console.WriteLine($"{quantized}, {quantized.BitsPerWeight:F2} bits per weight");

        using var layer = new Linear4Bit(quantized);
        layer.Forward<BFloat16>(stream, x, y); // y[M, N] = x[M, K] * W[N, K]^T
        Console.WriteLine($"y[0] = {y[0]}");
        // readme-end
    }
}
