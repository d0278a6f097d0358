namespace Halfbyte.Tests;

/// <summary>The snippets of docs/csharp.md, compiled, and run where the CPU can.</summary>
public sealed class CSharpGuide
{
    private const int N = 48, K = 128, M = 3;

    private readonly float[] weight = Data.Normal(1, N * K);
    private readonly float[] biasValues = Data.Normal(2, N);
    private readonly float[] x = Data.Normal(3, M * K);
    private readonly float[] y = new float[M * N];

    [Test]
    public void Every_snippet_of_the_guide_is_here_word_for_word()
    {
        string source = File.ReadAllText(Path.Combine(Repository.ProjectDirectory, "CSharpGuide.cs")).ReplaceLineEndings("\n");
        string[] regions = [.. source.Split("        // snippet\n").Skip(1).Select(part => Dedent(part[..part.IndexOf("        // end", StringComparison.Ordinal)]))];
        string guide = File.ReadAllText(Path.Combine(Repository.Root, "docs", "csharp.md")).ReplaceLineEndings("\n");
        string[] blocks = [.. guide.Split("```csharp\n").Skip(1).Select(part => part[..part.IndexOf("```", StringComparison.Ordinal)])];
        Assert.That(blocks, Is.EqualTo(regions));
    }

    [Test]
    public void Quantize()
    {
        // snippet
        using ComputeStream stream = ComputeStream.Create(Device.Cpu); // or Device.Cuda(0)
        using FourBitTensor nf4 = FourBit.Quantize<float>(stream, weight, N, K); // blocks of 64
        using FourBitTensor fp4 = FourBit.Quantize<float>(stream, weight, N, K, new() { QuantType = QuantType.Fp4, BlockSize = 128 });
        using FourBitTensor nested = FourBit.Quantize<float>(stream, weight, N, K, new() { DoubleQuantize = true });
        nested.Name = "model.layers.0.mlp.up_proj.weight"; // what messages call it

        float[] book = [.. Enumerable.Range(0, 16).Select(i => (2 * i - 15) / 15f)]; // ascending, from -1 to 1
        using FourBitTensor even = FourBit.Quantize<float>(
            stream, weight, N, K, new() { QuantType = QuantType.Custom, Codebook = book });

        float[] restored = new float[N * K];
        FourBit.Dequantize<float>(stream, even, restored);
        // end
        Assert.That(restored.Zip(weight, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(0.4f));
        Assert.That(nf4.BitsPerWeight, Is.GreaterThan(nested.BitsPerWeight - 2).And.GreaterThan(fp4.BitsPerWeight));
    }

    [Test]
    public void Multiply()
    {
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        // snippet
        DeviceBuffer bias = stream.Upload<float>(biasValues); // [N]
        using var layer = new Linear4Bit(FourBit.Quantize<float>(stream, weight, N, K), bias); // owns weight and bias
        layer.Forward<float>(stream, x, y); // y[M, N] = x[M, K] * W[N, K]^T + bias[N]
        // end
        Assert.That(y, Has.Some.Not.Zero);
        float[] spans = [.. y];
        // snippet
        using DeviceBuffer input = stream.Upload<float>(x);
        using DeviceBuffer output = stream.Allocate(M * N * sizeof(float));
        var viewX = new ActivationsView(input, DType.Float32, M, K);
        var viewY = new ActivationsView(output, DType.Float32, M, N);
        stream.ReserveWorkspace(layer.ForwardWorkspace(stream, DType.Float32, M)); // else the first call does

        layer.Forward(stream, viewX, viewY); // allocates nothing
        stream.Download<float>(output, y);   // waits for it
        // end
        Assert.That(y, Is.EqualTo(spans));
        // snippet
        using DeviceBuffer gradientX = stream.Allocate(M * K * sizeof(float));
        var viewDx = new ActivationsView(gradientX, DType.Float32, M, K);
        layer.Backward(stream, viewY, viewDx); // dx[M, K] = dy[M, N] * W[N, K]; here dy is y
        // end
        float[] dx = new float[M * K];
        stream.Download<float>(gradientX, dx);
        Assert.That(dx, Has.Some.Not.Zero);
    }

    [Test]
    public void Several()
    {
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        using var q = new Linear4Bit(FourBit.Quantize<float>(stream, weight, N, K));
        using var k = new Linear4Bit(FourBit.Quantize<float>(stream, weight, N, K, new() { QuantType = QuantType.Fp4 }));
        using var v = new Linear4Bit(FourBit.Quantize<float>(stream, weight, N, K, new() { DoubleQuantize = true }));
        using DeviceBuffer input = stream.Upload<float>(x);
        var viewX = new ActivationsView(input, DType.Float32, M, K);
        // snippet
        using DeviceBuffer qkv = stream.Allocate(M * 3 * N * sizeof(float)); // [M, 3 * N]
        ActivationsView Slice(int i) =>
            new(qkv, DType.Float32, M, N, leadingDimension: 3 * N, byteOffset: i * N * sizeof(float));

        Linear4Bit.Forward(stream, [q, k, v], viewX, [Slice(0), Slice(1), Slice(2)]);
        // end
        v.Forward<float>(stream, x, y);
        float[] all = new float[M * 3 * N];
        stream.Download<float>(qkv, all);
        Assert.That(all[(2 * N)..(3 * N)], Is.EqualTo(y[..N]));
    }

    [Test]
    public void Lookup()
    {
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        // snippet
        using var embedding = new Embedding4Bit(FourBit.Quantize<float>(stream, weight, N, K)); // N rows of K
        int[] tokens = [7, 0, 7];
        BFloat16[] rows = new BFloat16[tokens.Length * K];
        embedding.Forward(stream, tokens, rows.AsSpan()); // decodes these rows only
        // end
        Assert.That(rows[..K], Is.EqualTo(rows[(2 * K)..]));
    }

    [Test]
    public unsafe void Memory()
    {
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        using var layer = new Linear4Bit(FourBit.Quantize<float>(stream, weight, N, K));
        fixed (float* pinnedX = x)
        fixed (float* pinnedY = y)
        {
            (nint pointerX, nint pointerY) = ((nint)pinnedX, (nint)pinnedY);
            // snippet
            layer.Forward(
                stream,
                new ActivationsView(pointerX, DType.Float32, M, K),
                new ActivationsView(pointerY, DType.Float32, M, N));
            using DeviceBuffer borrowed = DeviceBuffer.Borrow(Device.Cpu, pointerX, M * K * sizeof(float)); // its bounds are checked
            // end
            Assert.That(borrowed.Pointer, Is.EqualTo(pointerX));
        }

        Assert.That(y, Has.Some.Not.Zero);
    }

    [Test]
    public void Threads()
    {
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        using var layer = new Linear4Bit(FourBit.Quantize<float>(stream, weight, N, K));
        layer.Forward<float>(stream, x, y);
        var results = new float[4][];
        // snippet
        Parallel.For(0, 4, request =>
        {
            using ComputeStream own = ComputeStream.CreateCpu(threads: 1);
            results[request] = new float[M * N];
            layer.Forward<float>(own, x, results[request]); // the layer is shared, the stream is not
        });
        // end
        Assert.That(results, Has.All.EqualTo(y));
    }

    [Test]
    public void Errors()
    {
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        using var layer = new Linear4Bit(FourBit.Quantize<float>(stream, weight, N, K));
        using var log = new StringWriter();
        // snippet
        try
        {
            layer.Forward<float>(stream, new float[K + 1], y);
        }
        catch (HalfbyteArgumentException e)
        {
            log.WriteLine($"{e.Status}: {e.Message}");
        }
        // end
        Assert.That(log.ToString(), Does.StartWith("InvalidSize: the weight is nf4[48x128] bs=64 3.4 KiB cpu; x has 129 elements and y 144: x must have"));
    }

    private static string Dedent(string region)
    {
        string[] lines = region.Split('\n');
        int depth = lines[0].Length - lines[0].TrimStart().Length;
        return string.Join('\n', lines.Select(line => line.Length > depth ? line[depth..] : line.Trim()));
    }
}
