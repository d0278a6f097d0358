using Microsoft.Extensions.Logging;

namespace Halfbyte.Tests;

/// <summary>Layers: the safe door over the products that <see cref="MatMul4BitTests"/> and <see cref="MatMulInt8Tests"/> prove.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class LinearTests(string device) : DeviceTests(device)
{
    private const int N = 45;
    private const int K = 70;

    private static FourBitOptions[] Options =>
    [
        new(),
        new() { DoubleQuantize = true, BlockSize = 32 },
        new() { QuantType = QuantType.Fp4 },
        new() { QuantType = QuantType.Custom, Codebook = Data.CustomCodebook },
    ];

    [Test]
    public void Forward_and_backward_of_a_4_bit_layer([ValueSource(nameof(Options))] FourBitOptions options, [Values(1, 5)] int m)
    {
        using var layer = new Linear4Bit(
            FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K, options), Stream.Upload<float>(Data.Normal(2, N)));
        double[] w = Dequantized(layer.Weight);
        AssertForward(layer, w, Data.Normal(2, N), m, Tolerances.FourBitOn(Stream.Device));
        AssertBackward(layer, w, m);
    }

    [Test]
    public void Forward_and_backward_of_an_8_bit_layer([Values(0f, 2.5f)] float threshold, [Values(1, 5)] int m)
    {
        float[] weight = Data.Normal(1, N * K);
        using var layer = new Linear8Bit(Int8.Quantize<float>(Stream, weight, N, K), Stream.Upload<float>(Data.Normal(2, N))) { Threshold = threshold };
        ReferenceInt8.Rows q = ReferenceInt8.Quantize(weight, N, K, 0);
        float[] x = Data.Normal(m, m * K);
        float[] y = new float[m * N];
        layer.Forward<float>(Stream, x, y);
        Product expected = Product.Int8(x, q.Codes, q.Absmax, Data.Normal(2, N), m, N, K, threshold);
        Expect.Close(y, expected, DType.Float32, K, Tolerances.Int8, "y");
        AssertBackward(layer, [.. q.Codes.Select((code, i) => code * (double)q.Absmax[i / K] / 127)], m);
    }

    [Test]
    public void Several_layers_in_one_call_equal_each_in_its_own()
    {
        Linear4Bit[] layers = [.. Options.Concat(Options).Concat(Options).Select((options, i) =>
            new Linear4Bit(FourBit.Quantize<float>(Stream, Data.Normal(i, (i + 1) * K), i + 1, K, options), Bias(i)))];
        Linear8Bit[] layers8 = [.. Enumerable.Range(0, 12).Select(i =>
            new Linear8Bit(Int8.Quantize<float>(Stream, Data.Normal(i, (i + 1) * K), i + 1, K), Bias(i)))];
        DeviceBuffer? Bias(int i) => i % 3 == 1 ? null : Stream.Upload<float>(Data.Normal(50 + i, i + 1));
        const int M = 3;
        using var x = new Matrix(Stream, DType.BFloat16, M, K, Data.Normal(1, M * K, DType.BFloat16));
        Matrix[] together = [.. layers.Select(layer => new Matrix(Stream, DType.BFloat16, M, (int)layer.OutFeatures, 2))];
        Matrix[] alone = [.. layers.Select(layer => new Matrix(Stream, DType.BFloat16, M, (int)layer.OutFeatures, 2))];
        Matrix[] together8 = [.. layers.Select(layer => new Matrix(Stream, DType.BFloat16, M, (int)layer.OutFeatures, 2))];
        Matrix[] alone8 = [.. layers.Select(layer => new Matrix(Stream, DType.BFloat16, M, (int)layer.OutFeatures, 2))];
        Linear4Bit.Forward(Stream, layers, x.View, [.. together.Select(y => y.View)]);
        Linear8Bit.Forward(Stream, layers8, x.View, [.. together8.Select(y => y.View)]);
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i].Forward(Stream, x.View, alone[i].View);
            layers8[i].Forward(Stream, x.View, alone8[i].View);
            Expect.Bits(together[i].Read(), alone[i].Read(), $"4-bit layer {i}");
            Expect.Bits(together8[i].Read(), alone8[i].Read(), $"8-bit layer {i}");
        }

        using var dx = new Matrix(Stream, DType.BFloat16, M, K);
        Linear4Bit.Backward(Stream, layers.AsSpan(0, 1), [alone[0].View], dx.View);
        float[] single = dx.Read();
        layers[0].Backward(Stream, alone[0].View, dx.View);
        Expect.Bits(dx.Read(), single, "dx of one 4-bit layer");
        Linear8Bit.Backward(Stream, layers8.AsSpan(0, 1), [alone8[0].View], dx.View);
        single = dx.Read();
        layers8[0].Backward(Stream, alone8[0].View, dx.View);
        Expect.Bits(dx.Read(), single, "dx of one 8-bit layer");

        layers8[3].Threshold = 2;
        HalfbyteArgumentException? e = Assert.Throws<HalfbyteArgumentException>(
            () => Linear8Bit.Forward(Stream, layers8, x.View, [.. together8.Select(y => y.View)]));
        Assert.That(e.Message, Does.Contain("threshold 2, the first layer 6"));
        e = Assert.Throws<HalfbyteArgumentException>(() => Linear4Bit.Forward(Stream, layers, x.View, [together[0].View]));
        Assert.That(e.Message, Does.Contain("1 matrices for 12 layers"));
        foreach (IDisposable thing in (IDisposable[])[.. layers, .. layers8, .. together, .. alone, .. together8, .. alone8])
        {
            thing.Dispose();
        }
    }

    /// <summary>Each layer's gradient has a single row that is not zero, which must be the row that dx has of it.</summary>
    [Test]
    public void Several_layers_take_each_its_own_gradient()
    {
        const int M = 10;
        Linear4Bit[] layers = [.. Enumerable.Range(0, M).Select(i => new Linear4Bit(FourBit.Quantize<float>(Stream, Data.Normal(i, (i + 1) * K), i + 1, K)))];
        Linear8Bit[] layers8 = [.. Enumerable.Range(0, M).Select(i => new Linear8Bit(Int8.Quantize<float>(Stream, Data.Normal(i, (i + 1) * K), i + 1, K)))];
        Matrix[] gradients = [.. layers.Select((layer, i) =>
        {
            int n = (int)layer.OutFeatures;
            float[] dy = new float[M * n];
            Data.Normal(70 + i, n).CopyTo(dy, i * n);
            return new Matrix(Stream, DType.BFloat16, M, n, dy, 2);
        })];
        using var together = new Matrix(Stream, DType.BFloat16, M, K, 2);
        using var together8 = new Matrix(Stream, DType.BFloat16, M, K, 2);
        using var alone = new Matrix(Stream, DType.BFloat16, M, K, 2);
        Linear4Bit.Backward(Stream, layers, [.. gradients.Select(dy => dy.View)], together.View);
        Linear8Bit.Backward(Stream, layers8, [.. gradients.Select(dy => dy.View)], together8.View);
        for (int i = 0; i < M; i++)
        {
            layers[i].Backward(Stream, gradients[i].View, alone.View);
            Expect.Bits(together.Read().AsSpan(i * K, K).ToArray(), alone.Read().AsSpan(i * K, K).ToArray(), $"4-bit layer {i}");
            layers8[i].Backward(Stream, gradients[i].View, alone.View);
            Expect.Bits(together8.Read().AsSpan(i * K, K).ToArray(), alone.Read().AsSpan(i * K, K).ToArray(), $"8-bit layer {i}");
        }

        foreach (IDisposable thing in (IDisposable[])[.. layers, .. layers8, .. gradients])
        {
            thing.Dispose();
        }
    }

    [Test]
    public void Matrices_of_another_device_are_refused()
    {
        using var layer = new Linear4Bit(FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K));
        using var layer8 = new Linear8Bit(Int8.Quantize<float>(Stream, Data.Normal(1, N * K), N, K));
        using var x = new Matrix(Stream, DType.Float32, 1, K, Data.Normal(2, K));
        using var y = new Matrix(Stream, DType.Float32, 1, N);
        Device other = Stream.Device.IsCpu ? Device.Cuda(0) : Device.Cpu;
        using DeviceBuffer foreign = DeviceBuffer.Borrow(other, 4096, K * sizeof(float));
        var foreignX = new ActivationsView(foreign, DType.Float32, 1, K);
        var foreignY = new ActivationsView(foreign, DType.Float32, 1, N);
        using DeviceBuffer codes = Stream.Allocate(K);
        using DeviceBuffer absmax = Stream.Allocate(sizeof(float));
        foreach (Action call in (Action[])
        [
            () => layer.Forward(Stream, foreignX, y.View),
            () => layer.Forward(Stream, x.View, foreignY),
            () => layer.Backward(Stream, foreignY, x.View),
            () => layer8.Forward(Stream, foreignX, y.View),
            () => layer8.Backward(Stream, y.View, foreignX),
            () => Linear4Bit.Forward(Stream, [layer, layer], foreignX, [y.View, y.View]),
            () => Linear8Bit.Forward(Stream, [layer8], x.View, [foreignY]),
            () => Int8.QuantizeRows(Stream, foreignX, 0, codes, absmax),
        ])
        {
            HalfbyteArgumentException e = Assert.Throws<HalfbyteArgumentException>(call)!;
            Assert.That(e.Status, Is.EqualTo(HalfbyteStatus.WrongDevice));
            Assert.That(e.Message, Does.Contain(other.ToString()).And.Contain(Stream.Device.ToString()));
        }
    }

    [Test]
    public void Missing_layers_and_short_rows_are_named()
    {
        using var layer = new Linear4Bit(FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K));
        using var x = new Matrix(Stream, DType.Float32, 1, K, Data.Normal(2, K));
        using var y = new Matrix(Stream, DType.Float32, 1, N);
        ArgumentException missing = Assert.Throws<ArgumentException>(
            () => Linear4Bit.Forward(Stream, [layer, null!], x.View, [y.View, y.View]))!;
        Assert.That(missing.Message, Does.StartWith("layers[1] is null."));
        using DeviceBuffer buffer = Stream.Allocate(1024);
        HalfbyteArgumentException shortRows = Assert.Throws<HalfbyteArgumentException>(
            () => _ = new ActivationsView(buffer, DType.Float32, 2, 10, leadingDimension: 9))!;
        Assert.That(shortRows.Message, Does.Contain("the leading dimension is 9"));
        Assert.Throws<ArgumentOutOfRangeException>(() => Stream.ReserveWorkspace(-1));
    }

    [Test]
    public void Products_without_a_layer()
    {
        using FourBitTensor weight = FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K);
        using Int8Tensor weight8 = Int8.Quantize<float>(Stream, Data.Normal(1, N * K), N, K);
        using var layer = new Linear4Bit(FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K));
        using var layer8 = new Linear8Bit(Int8.Quantize<float>(Stream, Data.Normal(1, N * K), N, K));
        using var x = new Matrix(Stream, DType.Float32, 2, K, Data.Normal(3, 2 * K));
        using var y = new Matrix(Stream, DType.Float32, 2, N);
        using var dx = new Matrix(Stream, DType.Float32, 2, K);
        for (int run = 0; run < 2; run++)
        {
            FourBit.MatMul(Stream, weight, x.View, y.View);
            float[] actual = y.Read();
            layer.Forward(Stream, x.View, y.View);
            Expect.Bits(actual, y.Read(), "4-bit y");
            FourBit.MatMulTransposed(Stream, weight, y.View, dx.View);
            actual = dx.Read();
            layer.Backward(Stream, y.View, dx.View);
            Expect.Bits(actual, dx.Read(), "4-bit dx");
            Int8.MatMul(Stream, weight8, x.View, y.View);
            actual = y.Read();
            layer8.Forward(Stream, x.View, y.View);
            Expect.Bits(actual, y.Read(), "8-bit y");
            Int8.MatMulTransposed(Stream, weight8, y.View, dx.View);
            actual = dx.Read();
            layer8.Backward(Stream, y.View, dx.View);
            Expect.Bits(actual, dx.Read(), "8-bit dx");
        }
    }

    [Test]
    public void A_call_allocates_nothing()
    {
        using var layer = new Linear4Bit(FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K, new() { DoubleQuantize = true }), Stream.Upload<float>(new float[N]));
        using var layer8 = new Linear8Bit(Int8.Quantize<float>(Stream, Data.Normal(1, N * K), N, K));
        using DeviceBuffer x = Stream.Upload<float>(Data.Normal(1, 3 * K));
        using DeviceBuffer y = Stream.Allocate(3 * N * 4);
        var viewX = new ActivationsView(x, DType.Float32, 3, K);
        var viewY = new ActivationsView(y, DType.Float32, 3, N);
        ComputeStream stream = Stream;
        Linear4Bit[] layers = [layer];
        ActivationsView[] views = [viewY];
        float[] hostX = Data.Normal(1, 3 * K);
        float[] hostY = new float[3 * N];
        FourBitWeight descriptor = layer.Weight.Descriptor;
        using DeviceBuffer scratch = stream.Allocate(layer.ForwardWorkspace(stream, DType.Float32, 3));
        bool onHost = stream.Device.IsCpu;

        void Calls()
        {
            layer.Forward(stream, viewX, viewY);
            layer8.Forward(stream, viewX, viewY);
            layer.Backward(stream, viewY, viewX);
            layer8.Backward(stream, viewY, viewX);
            Linear4Bit.Forward(stream, layers, viewX, views);
            Raw.MatMulFourBit(
                stream.Handle, new ReadOnlySpan<FourBitWeight>(in descriptor), viewX.Pointer, DType.Float32, 3, K,
                [new() { Y = viewY.Pointer, LeadingDimension = N }], scratch.Pointer, scratch.ByteLength);
            if (onHost)
            {
                layer.Forward<float>(stream, hostX, hostY);
                layer8.Forward<float>(stream, hostX, hostY);
            }
        }

        for (int i = 0; i < 3; i++)
        {
            Calls();
        }

        long workspace = stream.WorkspaceBytes;
        // A collection that another thread starts adds what was left of this thread's allocation context: five attempts, one is enough.
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 5; attempt++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                Calls();
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.That(least, Is.Zero);
        Assert.That(stream.WorkspaceBytes, Is.EqualTo(workspace));
    }

    [Test]
    public void The_workspace_grows_when_a_call_needs_it_and_stays()
    {
        var log = new LogList();
        using ComputeStream stream = TestDevices.TryParsePath(DeviceName, out CpuPath path)
            ? ComputeStream.CreateCpu(path, 2, log)
            : ComputeStream.Create(Stream.Device, log);
        using var layer = new Linear8Bit(Int8.Quantize<float>(stream, Data.Normal(1, N * K), N, K));
        long needed = layer.ForwardWorkspace(stream, DType.Float32, 500);
        Assume.That(needed, Is.Positive, "this device multiplies int8 without scratch memory");
        using DeviceBuffer x = stream.Upload<float>(Data.Normal(1, 500 * K));
        using DeviceBuffer y = stream.Allocate(500 * N * 4);
        layer.Forward(stream, new(x, DType.Float32, 500, K), new(y, DType.Float32, 500, N));
        long grown = stream.WorkspaceBytes;
        Assert.That(grown, Is.GreaterThanOrEqualTo(needed));
        layer.Forward(stream, new(x, DType.Float32, 5, K), new(y, DType.Float32, 5, N));
        Assert.That(stream.WorkspaceBytes, Is.EqualTo(grown));
        Assert.That(log.Events, Does.Contain(4), "growth is logged");
    }

    [Test]
    public void What_does_not_fit_is_named_with_what_would()
    {
        using FourBitTensor tensor = FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K);
        tensor.Name = "model.layers.3.mlp.up_proj.weight";
        using var layer = new Linear4Bit(tensor);
        using DeviceBuffer memory = Stream.Allocate(100_000);
        ActivationsView Of(DType dtype, long rows, long columns, long offset) => new(memory, dtype, rows, columns, 0, offset);

        Assert.That(
            Error(() => layer.Forward(Stream, Of(DType.Float32, 2, K + 1, 0), Of(DType.Float32, 2, N, 50_000))),
            Is.EqualTo((HalfbyteStatus.InvalidSize,
                $"weight 'model.layers.3.mlp.up_proj.weight' is {tensor}; x is Float32[2x71] and y is Float32[2x45]; x must have 70 columns, y 45, and both the same number of rows.")));
        Assert.That(
            Error(() => layer.Forward(Stream, Of(DType.Float32, 2, K, 0), Of(DType.BFloat16, 2, N, 50_000))),
            Is.EqualTo((HalfbyteStatus.InvalidDType,
                $"weight 'model.layers.3.mlp.up_proj.weight' is {tensor}; x is float32 while y is bfloat16; pass both in one type: the product is rounded once, to the type of the activations.")));
        Assert.That(
            Error(() => layer.Backward(Stream, Of(DType.Float32, 3, N, 0), Of(DType.Float32, 2, K, 50_000))).Text, Does.Contain("dx is Float32[2x70] and dy is Float32[3x45]"));
        Assert.That(Error(() => layer.Forward<float>(Stream, new float[K + 1], new float[N])).Text, Does.Contain("x must have a whole number of rows of 70"));
        Assert.That(Error(() => layer.Forward<float>(Stream, new float[2 * K], new float[N])).Text, Does.Contain("as many rows of 45"));
        Assert.That(Error(() => layer.Forward<int>(Stream, new int[K], new int[N])).Text, Does.Contain("use float, Half or Halfbyte.BFloat16"));
        Assert.That(Error(() => layer.Forward(Stream, Of(DType.Float32, 2, K, 0), Of(DType.Float32, 2, N, 4))).Status, Is.EqualTo(HalfbyteStatus.Overlap));
        Assert.That(Error(() => Of(DType.Float32, 1000, K, 0)).Text, Does.Contain("is not in a buffer of 100000 bytes"));
        Assert.That(Error(() => Of(DType.Float32, long.MaxValue, long.MaxValue, 0)).Text, Does.Contain("is not in a buffer"), "bytes beyond Int128");
        Assert.That(Error(() => Of(DType.BFloat16, 1, 8, 100_001)).Text, Does.Contain("from byte 100001 on, is not in a buffer"));
        Assert.That(Error(() => Of(DType.BFloat16, 1, 8, 99_985)).Text, Does.Contain("is not in a buffer"), "half an element");
        Assert.That(Error(() => _ = new ActivationsView(memory, DType.Float32, 1, 8, leadingDimension: 4)).Status, Is.EqualTo(HalfbyteStatus.InvalidSize));
        Assert.That(Error(() => _ = new Linear4Bit(tensor, memory)).Text, Does.Contain("has 100000 bytes; 45 elements of Float32 have 180"));
    }

    [Test]
    public void A_weight_without_a_name_and_a_view_of_nothing_are_called_so()
    {
        using var layer = new Linear4Bit(FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K));
        using var embedding = new Embedding4Bit(FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K));
        using var y = new Matrix(Stream, DType.Float32, 1, N);
        Assert.That(
            Error(() => layer.Forward(Stream, default, y.View)).Text,
            Does.StartWith($"the weight is {layer.Weight}; x is a default view (no matrix) and y is Float32[1x45]; x must have 70 columns"));
        Assert.That(Error(() => layer.Forward(Stream, default, default)).Text, Does.Contain("y is a default view (no matrix)"));
        Assert.That(
            Error(() => embedding.Forward(Stream, default, y.View)).Text,
            Does.StartWith($"the weight is {embedding.Weight}; indices are a default view (no indices)"));
    }

    [Test]
    public void Sizes_beyond_64_bits_are_refused()
    {
        using DeviceBuffer memory = Stream.Allocate(64);
        Assert.That(
            Error(() => Int8.QuantizeRows(Stream, new(0, DType.Float32, long.MaxValue, 0), 0, memory, memory)).Status, Is.EqualTo(HalfbyteStatus.InvalidSize));
        Assert.That(
            Error(() => Int8.QuantizeRows(Stream, new(0, DType.Float32, 0, 1L << 61), 6, memory, memory, memory, memory)).Status,
            Is.EqualTo(HalfbyteStatus.InvalidSize));
        Assert.That(Error(() => DoubleQuantization.Quantize(Stream, memory, 1L << 62, memory, memory, memory)).Status, Is.EqualTo(HalfbyteStatus.InvalidSize));
        Assert.That(
            Error(() => Blockwise.Quantize(Stream, memory, DType.Float32, 1L << 62, 64, memory, memory)).Status, Is.EqualTo(HalfbyteStatus.InvalidSize));
    }

    [Test]
    public void A_threshold_is_zero_or_positive()
    {
        using var layer = new Linear8Bit(Int8.Quantize<float>(Stream, new float[4], 2, 2));
        Assert.That(layer.Threshold, Is.EqualTo(6f));
        Assert.Throws<ArgumentOutOfRangeException>(() => layer.Threshold = -1);
        Assert.Throws<ArgumentOutOfRangeException>(() => layer.Threshold = float.NaN);
    }

    [Test]
    public void What_is_disposed_is_not_used()
    {
        var layer = new Linear4Bit(FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K));
        using DeviceBuffer y = Stream.Allocate(N * 4);
        DeviceBuffer x = Stream.Upload<float>(Data.Normal(1, K));
        var viewX = new ActivationsView(x, DType.Float32, 1, K);
        var viewY = new ActivationsView(y, DType.Float32, 1, N);
        layer.Forward(Stream, viewX, viewY);
        x.Dispose();
        Assert.Throws<ObjectDisposedException>(() => layer.Forward(Stream, viewX, viewY));
        Assert.Throws<ObjectDisposedException>(() => _ = x.Pointer);
        using DeviceBuffer another = Stream.Upload<float>(Data.Normal(1, K));
        layer.Dispose();
        layer.Dispose();
        ObjectDisposedException e = Assert.Throws<ObjectDisposedException>(() => layer.Forward(Stream, new(another, DType.Float32, 1, K), viewY))!;
        Assert.That(e.ObjectName, Is.EqualTo(typeof(Linear4Bit).FullName), "what the caller disposed, not what holds it");
        Assert.Throws<ObjectDisposedException>(() => _ = layer.Weight.Descriptor);
        ComputeStream closed = TestDevices.Open(DeviceName);
        closed.Dispose();
        using var second = new Linear4Bit(FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K));
        Assert.Throws<ObjectDisposedException>(() => second.Forward(closed, new(another, DType.Float32, 1, K), viewY));
    }

    [Test]
    public void A_layer_disposed_during_a_call_lives_until_its_end()
    {
        var layer = new Linear4Bit(FourBit.Quantize<float>(Stream, Data.Normal(1, N * K), N, K));
        BufferHandle codes = layer.Weight.Packed.SafeHandle;
        using (new Lease(layer.Held))
        {
            layer.Dispose();
            Assert.Throws<ObjectDisposedException>(() => _ = layer.Weight.Packed.Pointer);
            Assert.That(codes.IsClosed, Is.False, "the call still reads the codes");
        }

        Assert.That(codes.IsClosed, Is.True, "nothing reads them any more");
    }

    [Test]
    public void A_call_holds_the_memory_of_other_streams()
    {
        using ComputeStream other = TestDevices.Open(DeviceName);
        using DeviceBuffer foreign = other.Upload<float>(Data.Normal(1, K));
        using DeviceBuffer own = Stream.Allocate(N * 4);
        var x = new ActivationsView(foreign, DType.Float32, 1, K);
        var y = new ActivationsView(own, DType.Float32, 1, N);
        Assert.That(x.ToHold(Stream), Is.SameAs(foreign.SafeHandle));
        Assert.That(y.ToHold(Stream), Is.Null, "its disposal is in the order of the stream");
        using var layer = new Linear4Bit(FourBit.Quantize<float>(other, Data.Normal(1, N * K), N, K));
        using (new LayersLease(Stream, new QuantizedLinear[] { layer }, x, [y]))
        {
            foreign.Dispose();
            layer.Dispose();
            Assert.That(foreign.LeasedHandle.IsClosed, Is.False);
            Assert.That(layer.LeasedHandles.IsClosed, Is.False);
        }

        Assert.That(foreign.LeasedHandle.IsClosed, Is.True);
        Assert.That(layer.LeasedHandles.IsClosed, Is.True);
        ObjectDisposedException e = Assert.Throws<ObjectDisposedException>(
            () => new LayersLease(Stream, new QuantizedLinear[] { layer }, y, [y]).Dispose())!;
        Assert.That(e.ObjectName, Is.EqualTo(typeof(Linear4Bit).FullName));
        Assert.That(own.LeasedHandle.IsClosed, Is.False);
    }

    private static (HalfbyteStatus Status, string Text) Error(Action action)
    {
        HalfbyteArgumentException e = Assert.Throws<HalfbyteArgumentException>(action)!;
        return (e.Status, e.Message);
    }

    private double[] Dequantized(FourBitTensor tensor)
    {
        float[] values = new float[tensor.ElementCount];
        FourBit.Dequantize<float>(Stream, tensor, values);
        return Array.ConvertAll(values, value => (double)value);
    }

    private void AssertForward(QuantizedLinear layer, double[] w, float[]? bias, int m, Func<double, double, long, DType, double> tolerance)
    {
        float[] x = Data.Normal(m, m * K);
        float[] y = new float[m * N];
        layer.Forward<float>(Stream, x, y);
        Expect.Close(y, Product.Forward(x, w, bias, m, N, K), DType.Float32, K, tolerance, "y of spans");

        Half[] x16 = Array.ConvertAll(x, value => (Half)value);
        Half[] y16 = new Half[m * N];
        layer.Forward<Half>(Stream, x16, y16);
        Product expected = Product.Forward(Array.ConvertAll(x16, value => (float)value), w, bias, m, N, K);
        Expect.Close(Array.ConvertAll(y16, value => (float)value), expected, DType.Float16, K, tolerance, "y of halves");
    }

    private void AssertBackward(QuantizedLinear layer, double[] w, int m)
    {
        float[] dy = Data.Normal(m, m * N);
        using var gradient = new Matrix(Stream, DType.Float32, m, N, dy, 3);
        using var dx = new Matrix(Stream, DType.Float32, m, K, 1);
        layer.Backward(Stream, gradient.View, dx.View);
        Expect.Close(dx.Read(), Product.Backward(dy, w, m, N, K), DType.Float32, N, Tolerances.FourBit, "dx");
    }

    private sealed class LogList : ILogger
    {
        public List<int> Events { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Assert.That(formatter(state, exception), Is.Not.Empty);
            Events.Add(eventId.Id);
        }
    }
}
