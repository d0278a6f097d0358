namespace Halfbyte.Tests;

/// <summary>The safe door over the lookup that <see cref="Lookup4BitTests"/> proves.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class EmbeddingTests(string device) : DeviceTests(device)
{
    private const int N = 45;
    private const int K = 70;

    private static readonly int[] Tokens = [44, 0, 7, 7, 21];

    [Test]
    public void Rows_on_the_host_and_on_the_device([Values] bool doubleQuantize)
    {
        using Embedding4Bit layer = NewLayer(new() { DoubleQuantize = doubleQuantize });
        float[] expected = Rows<float>(layer.Weight, Tokens);
        float[] actual = new float[expected.Length];
        layer.Forward(Stream, Tokens, actual.AsSpan());
        Expect.Bits(actual, expected, "int");
        Array.Clear(actual);
        layer.Forward(Stream, Array.ConvertAll(Tokens, token => (long)token), actual.AsSpan());
        Expect.Bits(actual, expected, "long");
        Half[] halves = new Half[expected.Length];
        layer.Forward(Stream, Tokens, halves.AsSpan());
        Assert.That(halves, Is.EqualTo(Rows<Half>(layer.Weight, Tokens)));

        using DeviceBuffer indices = Stream.Upload<int>([-1, .. Tokens]);
        using var output = new Matrix(Stream, DType.Float32, Tokens.Length, K, gap: 3);
        layer.Forward(Stream, new IndicesView(indices, IndexType.Int32, Tokens.Length, byteOffset: 4), output.View);
        Expect.Bits(output.Read(), expected, "buffer");
        layer.Forward(Stream, ReadOnlySpan<int>.Empty, Span<float>.Empty);
        Assert.That((layer.Rows, layer.Columns, layer.Device), Is.EqualTo(((long)N, (long)K, Stream.Device)));
        Assert.That(layer.ToString(), Is.EqualTo($"model.embed_tokens.weight {layer.Weight}"));
    }

    [Test]
    public void Rows_without_a_layer()
    {
        using Embedding4Bit layer = NewLayer();
        float[] expected = Rows<float>(layer.Weight, Tokens);
        for (int run = 0; run < 2; run++)
        {
            float[] actual = new float[expected.Length];
            FourBit.Lookup(Stream, layer.Weight, Tokens, actual.AsSpan());
            Expect.Bits(actual, expected, "int");
            Array.Clear(actual);
            FourBit.Lookup(Stream, layer.Weight, Array.ConvertAll(Tokens, token => (long)token), actual.AsSpan());
            Expect.Bits(actual, expected, "long");
            using DeviceBuffer indices = Stream.Upload<int>(Tokens);
            using var output = new Matrix(Stream, DType.Float32, Tokens.Length, K);
            FourBit.Lookup(Stream, layer.Weight, new IndicesView(indices, IndexType.Int32, Tokens.Length), output.View);
            Expect.Bits(output.Read(), expected, "buffer");
        }
    }

    [Test]
    public void A_wrong_index_in_host_memory_is_an_error_on_every_device()
    {
        using Embedding4Bit layer = NewLayer();
        float[] output = new float[3 * K];
        output.AsSpan().Fill(5);
        Assert.That(
            Error(() => layer.Forward(Stream, [1, 45, -1], output.AsSpan())),
            Is.EqualTo((HalfbyteStatus.InvalidValue, "indices[1] is 45; expected 0 or more and less than weight.N, 45.")));
        Assert.That(
            Error(() => layer.Forward(Stream, [1L, 2, 1L << 32], output.AsSpan())),
            Is.EqualTo((HalfbyteStatus.InvalidValue, "indices[2] is 4294967296; expected 0 or more and less than weight.N, 45.")));
        Assert.That(output, Is.All.EqualTo(5f));
    }

    [Test]
    public void What_does_not_fit_is_named_with_what_would()
    {
        using Embedding4Bit layer = NewLayer();
        using DeviceBuffer memory = Stream.Allocate(100_000);
        using DeviceBuffer indices = Stream.Upload<int>(Tokens);
        var five = new IndicesView(indices, IndexType.Int32, 5);
        Assert.That(
            Error(() => layer.Forward(Stream, new IndicesView(indices, IndexType.Int32, 5), new ActivationsView(memory, DType.Float32, 4, K))),
            Is.EqualTo((HalfbyteStatus.InvalidSize,
                $"weight 'model.embed_tokens.weight' is {layer.Weight}; indices are Int32[5] and output is Float32[4x70]; output must have 70 columns, and a row per index.")));
        Assert.That(Error(() => layer.Forward(Stream, five, new ActivationsView(memory, DType.Float32, 5, K + 1))).Text, Does.Contain("Float32[5x71]"));
        Assert.That(Error(() => layer.Forward(Stream, Tokens, new float[K].AsSpan())).Text, Does.Contain("'output' has 70 elements; 350 are expected"));
        Assert.That(Error(() => layer.Forward(Stream, Tokens, new int[5 * K].AsSpan())).Text, Does.Contain("use float, Half or Halfbyte.BFloat16"));
        Assert.That(Error(() => _ = new IndicesView(indices, IndexType.Int64, 3)).Text, Does.Contain("3 indices of Int64, from byte 0 on, are not in a buffer of 20 bytes"));
        Assert.That(Error(() => _ = new IndicesView(indices, IndexType.Int32, 5, byteOffset: 4)).Status, Is.EqualTo(HalfbyteStatus.InvalidSize));
        Assert.That(Error(() => _ = new IndicesView(indices, IndexType.Int32, -1)).Status, Is.EqualTo(HalfbyteStatus.InvalidSize));
        Assert.That(Error(() => _ = new IndicesView(indices, IndexType.Int32, long.MaxValue)).Status, Is.EqualTo(HalfbyteStatus.InvalidSize));
        Assert.That(Error(() => _ = new IndicesView(0, (IndexType)3, 0)).Text, Does.Contain("index type 3 does not exist"));
        Assert.Throws<ArgumentNullException>(() => _ = new Embedding4Bit(null!));
        Assert.Throws<ArgumentNullException>(() => layer.Forward(null!, Tokens, new float[5 * K].AsSpan()));

        Device other = Stream.Device.IsCpu ? Device.Cuda(0) : Device.Cpu;
        using DeviceBuffer foreign = DeviceBuffer.Borrow(other, 4096, 5 * K * sizeof(float));
        foreach (Action call in (Action[])
        [
            () => layer.Forward(Stream, new IndicesView(foreign, IndexType.Int32, 5), new ActivationsView(memory, DType.Float32, 5, K)),
            () => layer.Forward(Stream, new IndicesView(indices, IndexType.Int32, 5), new ActivationsView(foreign, DType.Float32, 5, K)),
        ])
        {
            HalfbyteArgumentException e = Assert.Throws<HalfbyteArgumentException>(call)!;
            Assert.That(e.Status, Is.EqualTo(HalfbyteStatus.WrongDevice));
            Assert.That(e.Message, Does.Contain(other.ToString()).And.Contain(Stream.Device.ToString()));
        }
    }

    [Test]
    public void A_call_allocates_nothing()
    {
        using Embedding4Bit layer = NewLayer(new() { DoubleQuantize = true });
        using DeviceBuffer indices = Stream.Upload<int>(Tokens);
        using DeviceBuffer output = Stream.Allocate(Tokens.Length * K * sizeof(float));
        var indicesView = new IndicesView(indices, IndexType.Int32, Tokens.Length);
        var outputView = new ActivationsView(output, DType.Float32, Tokens.Length, K);
        ComputeStream stream = Stream;
        float[] host = new float[Tokens.Length * K];
        bool onHost = stream.Device.IsCpu;
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 6; attempt++) // as in LinearTests: one attempt without another thread's collection is enough
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                layer.Forward(stream, indicesView, outputView);
                if (onHost)
                {
                    layer.Forward(stream, Tokens, host.AsSpan());
                }
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.That(least, Is.Zero);
    }

    [Test]
    public void What_is_disposed_is_not_used()
    {
        Embedding4Bit layer = NewLayer();
        using DeviceBuffer indices = Stream.Upload<int>(Tokens);
        using DeviceBuffer output = Stream.Allocate(Tokens.Length * K * sizeof(float));
        var outputView = new ActivationsView(output, DType.Float32, Tokens.Length, K);
        DeviceBuffer gone = Stream.Upload<int>(Tokens);
        var goneView = new IndicesView(gone, IndexType.Int32, Tokens.Length);
        layer.Forward(Stream, goneView, outputView);
        gone.Dispose();
        Assert.Throws<ObjectDisposedException>(() => layer.Forward(Stream, goneView, outputView));

        FourBit.Lookup(Stream, layer.Weight, Tokens, new float[Tokens.Length * K].AsSpan());
        Assert.That(layer.Weight.Packed.Pointer, Is.Not.Zero, "a call without a layer leaves the weight alone");
        BufferHandle codes = layer.Weight.Packed.SafeHandle;
        using (new Lease(layer.Held))
        {
            layer.Dispose();
            Assert.That(codes.IsClosed, Is.False, "the call still reads the codes");
        }

        Assert.That(codes.IsClosed, Is.True, "nothing reads them any more");
        layer.Dispose();
        ObjectDisposedException e = Assert.Throws<ObjectDisposedException>(
            () => layer.Forward(Stream, new IndicesView(indices, IndexType.Int32, Tokens.Length), outputView))!;
        Assert.That(e.ObjectName, Is.EqualTo(typeof(Embedding4Bit).FullName));
    }

    private static (HalfbyteStatus Status, string Text) Error(Action action)
    {
        HalfbyteArgumentException e = Assert.Throws<HalfbyteArgumentException>(action)!;
        return (e.Status, e.Message);
    }

    private Embedding4Bit NewLayer(FourBitOptions? options = null)
    {
        FourBitTensor weight = FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K, options);
        weight.Name = "model.embed_tokens.weight";
        return new Embedding4Bit(weight);
    }

    private T[] Rows<T>(FourBitTensor weight, int[] indices)
        where T : unmanaged
    {
        var all = new T[N * K];
        FourBit.Dequantize<T>(Stream, weight, all);
        return [.. indices.SelectMany(row => all[(row * K)..((row + 1) * K)])];
    }
}
