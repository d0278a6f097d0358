namespace Halfbyte.Tests;

/// <summary>The safe door of quantization: what it makes, what it refuses, and that both doors make the same.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class TensorTests(string device) : DeviceTests(device)
{
    [Test]
    public void A_plain_tensor_has_codes_and_statistics(
        [Values(QuantType.Nf4, QuantType.Fp4, QuantType.Custom)] QuantType quantType, [Values(32, 64, 4096)] int blockSize)
    {
        float[] values = Data.Normal(1, 33 * 65);
        float[]? codebook = quantType == QuantType.Custom ? Data.CustomCodebook : null;
        var options = new FourBitOptions { QuantType = quantType, BlockSize = blockSize, Codebook = codebook };
        using FourBitTensor tensor = FourBit.Quantize<float>(Stream, values, 33, 65, options);
        (byte[] codes, float[] absmax) = Reference4Bit.Quantize(values, blockSize, quantType, codebook);
        Expect.Equal<byte>(Read<byte>(tensor.Packed), Reference4Bit.Pack(codes, quantType, codebook), "packed");
        Expect.Bits(Read<float>(tensor.Absmax), absmax, "absmax");
        Assert.That(tensor.IsDoubleQuantized, Is.False);
        Assert.That((tensor.NestedAbsmax, tensor.NestedCodebook, tensor.NestedOffset), Is.EqualTo(((DeviceBuffer?)null, (DeviceBuffer?)null, (DeviceBuffer?)null)));
        Assert.That(tensor.Codebook is not null, Is.EqualTo(quantType == QuantType.Custom));
        Assert.That((tensor.QuantType, tensor.BlockSize, tensor.NestedBlockSize), Is.EqualTo((quantType, blockSize, 0)));
        Assert.Throws<InvalidOperationException>(() => tensor.ReadNestedOffset(Stream));
    }

    [Test]
    public void A_double_quantized_tensor_has_nested_statistics()
    {
        float[] values = Data.Normal(1, 200 * 300);
        using FourBitTensor tensor = FourBit.Quantize<float>(Stream, values, 200, 300, new() { DoubleQuantize = true });
        float[] map = Blockwise.DynamicMapSigned.ToArray();
        (_, float[] absmax) = Reference4Bit.Quantize(values, 64, QuantType.Nf4);
        (byte[] codes, float[] nested, float offset) = ReferenceDoubleQuantization.Quantize(absmax, map);
        Expect.Equal<byte>(Read<byte>(tensor.Absmax), codes, "absmax codes");
        Expect.Bits(Read<float>(tensor.NestedAbsmax!), nested, "nested absmax");
        Expect.Bits(Read<float>(tensor.NestedCodebook!), map, "nested codebook");
        Assert.That(tensor.ReadNestedOffset(Stream), Is.EqualTo(offset));
        Assert.That((tensor.IsDoubleQuantized, tensor.NestedBlockSize, tensor.BlockCount), Is.EqualTo((true, 256, 938L)));

        using DeviceBuffer plain = Stream.Upload<float>(absmax);
        using DeviceBuffer restored = Stream.Allocate(absmax.Length * sizeof(float));
        using DeviceBuffer codesAgain = Stream.Allocate(codes.Length);
        using DeviceBuffer nestedAgain = Stream.Allocate(nested.Length * sizeof(float));
        using DeviceBuffer offsetAgain = Stream.Allocate(sizeof(float));
        DoubleQuantization.Quantize(Stream, plain, absmax.Length, codesAgain, nestedAgain, offsetAgain);
        Expect.Equal<byte>(Read<byte>(codesAgain), codes, "codes of the separate operation");
        DoubleQuantization.Dequantize(Stream, codesAgain, nestedAgain, offsetAgain, tensor.NestedCodebook, absmax.Length, restored);
        Expect.Bits(Read<float>(restored), ReferenceDoubleQuantization.Dequantize(codes, nested, offset, map), "restored");
    }

    [Test]
    public void Spans_and_buffers_of_every_type_give_the_same_tensor()
    {
        float[] values = Data.Normal(1, 40 * 50, DType.BFloat16, scale: 0.1);
        Half[] halves = Array.ConvertAll(values, value => (Half)value);
        BFloat16[] bfloats = Array.ConvertAll(values, value => (BFloat16)value);
        AssertSame<float>(values, DType.Float32);
        AssertSame<Half>(halves, DType.Float16);
        AssertSame<BFloat16>(bfloats, DType.BFloat16);
    }

    [Test]
    public void Values_come_back_through_both_doors()
    {
        using FourBitTensor four = FourBit.Quantize<float>(Stream, Data.Normal(1, 300), 3, 100);
        using Int8Tensor eight = Int8.Quantize<float>(Stream, Data.Normal(1, 300), 3, 100);
        using DeviceBuffer buffer = Stream.Allocate(600);
        BFloat16[] values = new BFloat16[300];
        FourBit.Dequantize<BFloat16>(Stream, four, values);
        FourBit.Dequantize(Stream, four, buffer, DType.BFloat16);
        Expect.Equal<BFloat16>(Read<BFloat16>(buffer), values, "4-bit");
        Int8.Dequantize<BFloat16>(Stream, eight, values);
        Int8.Dequantize(Stream, eight, buffer, DType.BFloat16);
        Expect.Equal<BFloat16>(Read<BFloat16>(buffer), values, "int8");
        ReferenceInt8.Rows q = ReferenceInt8.Quantize(Data.Normal(1, 300), 3, 100, 0);
        Expect.Equal<sbyte>(Read<sbyte>(eight.Codes), q.Codes, "codes");
        Expect.Bits(Read<float>(eight.Absmax), q.Absmax, "absmax");
    }

    [Test]
    public void Activations_are_quantized_by_the_row()
    {
        float[] x = Data.Normal(1, 5 * 70, scale: 3);
        ReferenceInt8.Rows q = ReferenceInt8.Quantize(x, 5, 70, 6);
        using DeviceBuffer input = Stream.Upload<float>(x);
        using DeviceBuffer codes = Stream.Allocate(350);
        using DeviceBuffer absmax = Stream.Allocate(20);
        using DeviceBuffer columns = Stream.Allocate(560);
        using DeviceBuffer count = Stream.Allocate(8);
        var view = new ActivationsView(input, DType.Float32, 5, 70);
        Int8.QuantizeRows(Stream, view, 6, codes, absmax, columns, count);
        Expect.Equal<sbyte>(Read<sbyte>(codes), q.Codes, "codes");
        Expect.Bits(Read<float>(absmax), q.Absmax, "absmax");
        Assert.That(Read<long>(count)[0], Is.EqualTo(q.OutlierColumns.Length).And.Positive);
        Expect.Equal<long>(Read<long>(columns).AsSpan(0, q.OutlierColumns.Length), q.OutlierColumns, "columns");
        Assert.Throws<ArgumentNullException>(() => Int8.QuantizeRows(Stream, view, 6, codes, absmax));
        Int8.QuantizeRows(Stream, view, 0, codes, absmax);
        Expect.Equal<sbyte>(Read<sbyte>(codes), ReferenceInt8.Quantize(x, 5, 70, 0).Codes, "codes without a threshold");
    }

    [Test]
    public void A_tensor_says_what_it_is()
    {
        using FourBitTensor plain = FourBit.Quantize<float>(Stream, new float[100 * 64], 100, 64);
        using FourBitTensor nested = FourBit.Quantize<BFloat16>(
            Stream, new BFloat16[3 * 5 * 7], [3, 5, 7], new() { QuantType = QuantType.Fp4, BlockSize = 32, DoubleQuantize = true });
        using Int8Tensor int8 = Int8.Quantize<Half>(Stream, new Half[1024 * 2], 1024, 2);
        using FourBitTensor scalar = FourBit.Quantize<float>(Stream, new float[1], []);
        using FourBitTensor empty = FourBit.Quantize<float>(Stream, [], 0, 7);
        Assert.That(plain.ToString(), Is.EqualTo($"nf4[100x64] bs=64 3.5 KiB {Stream.Device}"));
        Assert.That(nested.ToString(), Is.EqualTo($"fp4[3x5x7] bs=32 dq 1.1 KiB {Stream.Device}"));
        Assert.That(int8.ToString(), Is.EqualTo($"int8[1024x2] 6.0 KiB {Stream.Device}"));
        Assert.That((plain.Rows, plain.Columns, plain.ElementCount, plain.ByteLength), Is.EqualTo((100L, 64L, 6400L, 3200L + 400)));
        Assert.That((nested.Rows, nested.Columns, nested.ElementCount, nested.ByteLength), Is.EqualTo((15L, 7L, 105L, 53L + 4 + 4 + 1024 + 4)));
        Assert.That((scalar.Rows, scalar.Columns, scalar.ElementCount), Is.EqualTo((1L, 1L, 1L)));
        Assert.That((empty.Rows, empty.Columns, empty.ElementCount, empty.BitsPerWeight), Is.EqualTo((0L, 7L, 0L, 0.0)));
        Assert.That(plain.BitsPerWeight, Is.EqualTo(4.5));
        Assert.That(nested.Shape, Is.EqualTo(new long[] { 3, 5, 7 }));
        Assert.That((plain.OriginalDType, nested.OriginalDType, int8.OriginalDType), Is.EqualTo((DType.Float32, DType.BFloat16, DType.Float16)));
        Assert.That(plain.Device, Is.EqualTo(Stream.Device));
    }

    [Test]
    public void Wrong_input_is_refused()
    {
        using DeviceBuffer buffer = Stream.Allocate(64);
        using FourBitTensor tensor = FourBit.Quantize<float>(Stream, new float[8], 2, 4);
        using Int8Tensor int8 = Int8.Quantize<float>(Stream, new float[8], 2, 4);
        AssertRefused(HalfbyteStatus.InvalidSize, "'weight' has 7 elements; 8 are expected", () => FourBit.Quantize<float>(Stream, new float[7], 2, 4));
        AssertRefused(HalfbyteStatus.InvalidSize, "negative dimension", () => FourBit.Quantize<float>(Stream, [], -1, 0));
        AssertRefused(HalfbyteStatus.InvalidSize, "more elements than memory", () => FourBit.Quantize<float>(Stream, [], 1L << 40, 1L << 40));
        AssertRefused(HalfbyteStatus.InvalidSize, "'weight' has 64 bytes; 68 are needed", () => FourBit.Quantize(Stream, buffer, DType.Float32, [17]));
        AssertRefused(HalfbyteStatus.InvalidDType, "Double", () => FourBit.Quantize<double>(Stream, new double[8], 2, 4));
        AssertRefused(HalfbyteStatus.InvalidFormat, "block size 65", () => FourBit.Quantize<float>(Stream, new float[8], 2, 4, new() { BlockSize = 65 }));
        AssertRefused(HalfbyteStatus.InvalidFormat, "quantization type 9", () => FourBit.Quantize<float>(Stream, new float[8], 2, 4, new() { QuantType = (QuantType)9 }));
        AssertRefused(HalfbyteStatus.InvalidFormat, "pass 16", () => FourBit.Quantize<float>(Stream, new float[8], 2, 4, new() { QuantType = QuantType.Custom }));
        AssertRefused(HalfbyteStatus.InvalidFormat, "leave it empty", () => FourBit.Quantize<float>(Stream, new float[8], 2, 4, new() { Codebook = new float[16] }));
        AssertRefused(HalfbyteStatus.InvalidFormat, "codebook[3]", () => FourBit.Quantize<float>(
            Stream, new float[8], 2, 4, new() { QuantType = QuantType.Custom, Codebook = (float[])[-1, 0, 1, float.NaN, .. new float[12]] }));
        AssertRefused(HalfbyteStatus.InvalidFormat, "codebook[0] is -8; values are relative to absmax", () => FourBit.Quantize<float>(
            Stream, new float[8], 2, 4, new() { QuantType = QuantType.Custom, Codebook = (float[])[.. Enumerable.Range(-8, 16)] }));
        AssertRefused(HalfbyteStatus.InvalidSize, "'output' has 9 elements", () => FourBit.Dequantize<float>(Stream, tensor, new float[9]));
        AssertRefused(HalfbyteStatus.InvalidSize, "'output' has 9 elements", () => Int8.Dequantize<float>(Stream, int8, new float[9]));
        AssertRefused(HalfbyteStatus.InvalidSize, "'weight' has 9 elements", () => Int8.Quantize<float>(Stream, new float[9], 2, 4));
        AssertRefused(HalfbyteStatus.InvalidSize, "'absmax' has 2 elements", () => Blockwise.Quantize<float>(Stream, new float[9], 32, new byte[9], new float[2]));
        AssertRefused(HalfbyteStatus.InvalidSize, "'codes' has 8 elements", () => Blockwise.Quantize<float>(Stream, new float[9], 32, new byte[8], new float[1]));
        AssertRefused(HalfbyteStatus.InvalidSize, "'codebook' has 3 elements", () => Blockwise.Quantize<float>(Stream, new float[9], 32, new byte[9], new float[1], new float[3]));
    }

    [Test]
    public void Buffers_must_be_the_parts_of_the_shape()
    {
        DeviceBuffer Bytes(long count) => Stream.Allocate(count);
        var good = new FourBitParts { QuantType = QuantType.Nf4, BlockSize = 64, Packed = Bytes(75), Absmax = Bytes(12) };
        FourBitParts nested = good with { Absmax = Bytes(3), NestedAbsmax = Bytes(4), NestedCodebook = Bytes(1024), NestedOffset = Bytes(4) };
        DeviceBuffer foreign = DeviceBuffer.Borrow(Stream.Device.IsCpu ? Device.Cuda(0) : Device.Cpu, 4096, 12);
        (HalfbyteStatus, string, FourBitParts)[] refused =
        [
            (HalfbyteStatus.InvalidSize, "'Packed' has 74 bytes; this shape and format need exactly 75", good with { Packed = Bytes(74) }),
            (HalfbyteStatus.InvalidSize, "'Packed' has 76", good with { Packed = Bytes(76) }),
            (HalfbyteStatus.InvalidSize, "'Absmax' has 16", good with { Absmax = Bytes(16) }),
            (HalfbyteStatus.InvalidSize, "'Absmax' has 12", nested with { Absmax = good.Absmax }),
            (HalfbyteStatus.InvalidSize, "'NestedAbsmax' has 8", nested with { NestedAbsmax = Bytes(8) }),
            (HalfbyteStatus.InvalidFormat, "block size 100", nested with { NestedBlockSize = 100 }),
            (HalfbyteStatus.InvalidSize, "'NestedCodebook' has 1020", nested with { NestedCodebook = Bytes(1020) }),
            (HalfbyteStatus.InvalidSize, "'NestedOffset' has 0", nested with { NestedOffset = Bytes(0) }),
            (HalfbyteStatus.NullPointer, "pass all three, or none", nested with { NestedOffset = null }),
            (HalfbyteStatus.NullPointer, "pass all three, or none", good with { NestedCodebook = nested.NestedCodebook }),
            (HalfbyteStatus.InvalidFormat, "block size 63", good with { BlockSize = 63 }),
            (HalfbyteStatus.NullPointer, "pass the 16 float32 values", good with { QuantType = QuantType.Custom }),
            (HalfbyteStatus.InvalidSize, "'Codebook' has 60", good with { Codebook = Bytes(60) }),
            (HalfbyteStatus.WrongDevice, "copy all parts to one device", good with { Absmax = foreign }),
        ];
        foreach ((HalfbyteStatus status, string text, FourBitParts parts) in refused)
        {
            AssertRefused(status, text, () => FourBitTensor.FromBuffers(parts, [3, 50], DType.Float16));
        }

        using FourBitTensor tensor = FourBitTensor.FromBuffers(nested, [3, 50], DType.Float16);
        Assert.That(tensor.Packed, Is.SameAs(good.Packed), "a failed attempt owns nothing");
        using FourBitTensor small = FourBitTensor.FromBuffers(
            new() { QuantType = QuantType.Nf4, BlockSize = 32, NestedBlockSize = 32, Packed = Bytes(1024), Absmax = Bytes(64), NestedAbsmax = Bytes(8), NestedCodebook = Bytes(1024), NestedOffset = Bytes(4) },
            [2, 1024],
            DType.Float16);
        Assert.That((small.NestedBlockSize, small.Descriptor.NestedBlockSize, tensor.NestedBlockSize), Is.EqualTo((32, 32L, 256)));
        using DeviceBuffer codes = Bytes(6);
        using DeviceBuffer absmax = Bytes(8);
        AssertRefused(HalfbyteStatus.InvalidSize, "'codes' has 6 bytes", () => Int8Tensor.FromBuffers(codes, absmax, [2, 4], DType.Float32));
        AssertRefused(HalfbyteStatus.InvalidSize, "'absmax' has 8 bytes", () => Int8Tensor.FromBuffers(codes, absmax, [3, 2], DType.Float32));
        AssertRefused(HalfbyteStatus.InvalidDType, "data type 0", () => Int8Tensor.FromBuffers(codes, absmax, [2, 3], 0));
    }

    [Test]
    public void A_part_that_is_missing_or_disposed_is_named()
    {
        using DeviceBuffer packed = Stream.Allocate(75);
        using DeviceBuffer absmax = Stream.Allocate(12);
        DeviceBuffer gone = Stream.Allocate(75);
        gone.Dispose();
        var good = new FourBitParts { QuantType = QuantType.Nf4, BlockSize = 64, Packed = packed, Absmax = absmax };
        Assert.That(NullPart(good with { Packed = null! }), Is.EqualTo("Packed"));
        Assert.That(NullPart(good with { Absmax = null! }), Is.EqualTo("Absmax"));
        Assert.That(Disposed(() => FourBitTensor.FromBuffers(good with { Packed = gone }, [3, 50], DType.Float16)), Does.Contain("'Packed'"));
        Assert.That(Disposed(() => FourBitTensor.FromBuffers(good with { Codebook = gone }, [3, 50], DType.Float16)), Does.Contain("'Codebook'"));
        Assert.That(Disposed(() => Int8Tensor.FromBuffers(gone, absmax, [3, 25], DType.Float16)), Does.Contain("'codes'"));
        Assert.That(
            Assert.Throws<ArgumentNullException>(() => Int8Tensor.FromBuffers(packed, null!, [3, 25], DType.Float16))!.ParamName, Is.EqualTo("absmax"));

        static string? NullPart(FourBitParts parts) =>
            Assert.Throws<ArgumentNullException>(() => FourBitTensor.FromBuffers(parts, [3, 50], DType.Float16))!.ParamName;
    }

    [Test]
    public void A_disposed_tensor_says_which_it_is()
    {
        FourBitTensor four = FourBit.Quantize<float>(Stream, new float[64], 1, 64, new() { DoubleQuantize = true });
        Int8Tensor eight = Int8.Quantize<float>(Stream, new float[64], 1, 64);
        four.Name = "layers.3.up";
        eight.Name = "layers.4.up";
        four.Dispose();
        eight.Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(Disposed(() => _ = new Linear4Bit(four)), Does.Contain("weight 'layers.3.up' (nf4[1x64]"));
            Assert.That(Disposed(() => _ = new Embedding4Bit(four)), Does.Contain("layers.3.up"));
            Assert.That(Disposed(() => _ = four.Descriptor), Does.Contain("layers.3.up"));
            Assert.That(Disposed(() => FourBit.Dequantize<float>(Stream, four, new float[64])), Does.Contain("layers.3.up"));
            Assert.That(Disposed(() => four.ReadNestedOffset(Stream)), Does.Contain("layers.3.up"));
            Assert.That(Disposed(() => _ = new Linear8Bit(eight)), Does.Contain("weight 'layers.4.up' (int8[1x64]"));
            Assert.That(Disposed(() => _ = eight.Descriptor), Does.Contain("layers.4.up"));
            Assert.That(Disposed(() => Int8.Dequantize<float>(Stream, eight, new float[64])), Does.Contain("layers.4.up"));
        });
    }

    private static string Disposed(Action action) => Assert.Throws<ObjectDisposedException>(action)!.Message;

    private static void AssertRefused(HalfbyteStatus status, string text, Action action)
    {
        HalfbyteArgumentException e = Assert.Throws<HalfbyteArgumentException>(action)!;
        Assert.That(e.Message, Does.Contain(text));
        Assert.That(e.Status, Is.EqualTo(status));
    }

    private T[] Read<T>(DeviceBuffer buffer)
        where T : unmanaged
    {
        T[] values = new T[buffer.ByteLength / System.Runtime.CompilerServices.Unsafe.SizeOf<T>()];
        Stream.Download(buffer, values.AsSpan());
        return values;
    }

    private void AssertSame<T>(T[] values, DType dtype)
        where T : unmanaged
    {
        using DeviceBuffer buffer = Stream.Upload<T>(values);
        using FourBitTensor ofSpan = FourBit.Quantize<T>(Stream, values, 40, 50);
        using FourBitTensor ofBuffer = FourBit.Quantize(Stream, buffer, dtype, [40, 50]);
        float[] widened = Elements.Decode(System.Runtime.InteropServices.MemoryMarshal.AsBytes<T>(values), dtype);
        (byte[] codes, float[] absmax) = Reference4Bit.Quantize(widened, 64, QuantType.Nf4);
        foreach (FourBitTensor tensor in (FourBitTensor[])[ofSpan, ofBuffer])
        {
            Expect.Equal<byte>(Read<byte>(tensor.Packed), Reference4Bit.Pack(codes, QuantType.Nf4), $"{dtype} codes");
            Expect.Bits(Read<float>(tensor.Absmax), absmax, $"{dtype} statistics");
        }

        using Int8Tensor int8OfSpan = Int8.Quantize<T>(Stream, values, 40, 50);
        using Int8Tensor int8OfBuffer = Int8.Quantize(Stream, buffer, dtype, 40, 50);
        Expect.Equal<sbyte>(Read<sbyte>(int8OfSpan.Codes), ReferenceInt8.Quantize(widened, 40, 50, 0).Codes, $"{dtype} int8 codes");
        Expect.Equal<sbyte>(Read<sbyte>(int8OfBuffer.Codes), Read<sbyte>(int8OfSpan.Codes), $"{dtype} int8 codes");
    }
}
