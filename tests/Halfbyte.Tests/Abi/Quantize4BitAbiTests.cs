namespace Halfbyte.Tests;

/// <summary>What halfbyte_quantize_4bit and halfbyte_dequantize_4bit refuse, and that a refusal touches nothing.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed unsafe class Quantize4BitAbiTests(string device) : DeviceTests(device)
{
    private const int N = 100;

    private record struct Quantize(
        nint Stream, nint Input, int DType, long Length, long BlockSize, int QuantType, float[]? Codebook, nint Packed, nint Absmax)
    {
        public readonly int Run()
        {
            fixed (float* codebook = Codebook)
            {
                return Native.halfbyte_quantize_4bit(
                    Stream, Input, DType, Length, BlockSize, QuantType, codebook, (byte*)Packed, (float*)Absmax);
            }
        }
    }

    private record struct Dequantize(nint Stream, FourBitWeight Weight, nint Output, int DType)
    {
        public readonly int Run()
        {
            FourBitWeight weight = Weight;
            return Native.halfbyte_dequantize_4bit(Stream, (nint)(&weight), Output, DType);
        }
    }

    [Test]
    public void Quantize_refuses()
    {
        using TestBuffer input = Upload<float>(Data.Normal(1, N + 1));
        using TestBuffer packed = Allocate((N / 2) + 8);
        using TestBuffer absmax = Allocate(20);
        using var garbage = new TestBuffer(Stream, 4096);
        var good = new Quantize(Stream.Handle, input.Pointer, 1, N, 32, 2, null, packed.Pointer, absmax.Pointer);
        float[] table = Data.CustomCodebook;
        float[] Changed(int at, float value)
        {
            float[] copy = [.. table];
            copy[at] = value;
            return copy;
        }

        (HalfbyteStatus, string, Quantize)[] refused =
        [
            (HalfbyteStatus.NullPointer, "stream", good with { Stream = 0 }),
            (HalfbyteStatus.NullPointer, "input", good with { Input = 0 }),
            (HalfbyteStatus.NullPointer, "packed", good with { Packed = 0 }),
            (HalfbyteStatus.NullPointer, "absmax", good with { Absmax = 0 }),
            (HalfbyteStatus.NullPointer, "codebook is null; expected 16 float32 values", good with { QuantType = 3 }),
            (HalfbyteStatus.Misaligned, "input", good with { Input = input.Pointer + 2 }),
            (HalfbyteStatus.Misaligned, "input", good with { Input = input.Pointer + 1, DType = 3 }),
            (HalfbyteStatus.Misaligned, "absmax", good with { Absmax = absmax.Pointer + 2 }),
            (HalfbyteStatus.Overlap, "packed", good with { Packed = input.Pointer + (4 * N) - 1 }),
            (HalfbyteStatus.Overlap, "absmax", good with { Absmax = input.Pointer }),
            (HalfbyteStatus.Overlap, "absmax", good with { Absmax = packed.Pointer + 48 }),
            (HalfbyteStatus.InvalidSize, "n is -1", good with { Length = -1 }),
            (HalfbyteStatus.InvalidSize, "n is", good with { Length = long.MaxValue }),
            (HalfbyteStatus.InvalidSize, "n is", good with { Length = (long.MaxValue / 4) + 1 }),
            (HalfbyteStatus.InvalidDType, "dtype is 0", good with { DType = 0 }),
            (HalfbyteStatus.InvalidDType, "dtype is 4", good with { DType = 4 }),
            (HalfbyteStatus.InvalidDType, "dtype is -1", good with { DType = -1 }),
            .. ((long[])[0, -64, 16, 33, 48, 8192, 1L << 32, long.MinValue]).Select(size =>
                (HalfbyteStatus.InvalidFormat, $"blocksize is {size}", good with { BlockSize = size })),
            (HalfbyteStatus.InvalidFormat, "quant_type is 0", good with { QuantType = 0 }),
            (HalfbyteStatus.InvalidFormat, "quant_type is 4", good with { QuantType = 4 }),
            (HalfbyteStatus.InvalidFormat, "codebook", good with { Codebook = table }),
            (HalfbyteStatus.InvalidFormat, "codebook", good with { Codebook = table, QuantType = 1 }),
            (HalfbyteStatus.InvalidFormat, "codebook[0]", good with { Codebook = Changed(0, float.NegativeInfinity), QuantType = 3 }),
            (HalfbyteStatus.InvalidFormat, "codebook[9]", good with { Codebook = Changed(9, -1), QuantType = 3 }),
            (HalfbyteStatus.InvalidFormat, "codebook[15] is nan", good with { Codebook = Changed(15, float.NaN), QuantType = 3 }),
            (HalfbyteStatus.InvalidFormat, "codebook[15] is nan", good with { Codebook = Changed(15, -float.NaN), QuantType = 3 }),
            (HalfbyteStatus.InvalidFormat, "codebook[0]", good with { Codebook = Changed(0, MathF.BitDecrement(-1)), QuantType = 3 }),
            (HalfbyteStatus.InvalidFormat, "codebook[15]", good with { Codebook = Changed(15, MathF.BitIncrement(1)), QuantType = 3 }),
            (HalfbyteStatus.InvalidFormat, "the one value 0.25", good with { Codebook = [.. Enumerable.Repeat(0.25f, 16)], QuantType = 3 }),
        ];
        foreach ((HalfbyteStatus status, string argument, Quantize call) in refused)
        {
            Refusal.Expect(call.Run(), status, argument);
        }

        packed.AssertUntouched("packed");
        absmax.AssertUntouched("absmax");
        Assert.That((good with { Length = 0, Input = 0, Packed = 0, Absmax = 0 }).Run(), Is.Zero, "empty tensors may be null");
        Assert.That(good.Run(), Is.Zero);
    }

    [Test]
    public void A_handle_that_is_no_stream_is_refused()
    {
        using ComputeStream cpu = ComputeStream.CreateCpu(CpuPath.Scalar, 1);
        using DeviceBuffer noStream = cpu.Allocate(65536);
        cpu.Fill(noStream, 0);
        using TestBuffer input = Upload<float>(Data.Normal(1, N));
        using TestBuffer packed = Allocate(N / 2);
        using TestBuffer absmax = Allocate(16);
        var good = new Quantize(noStream.Pointer, input.Pointer, 1, N, 32, 2, null, packed.Pointer, absmax.Pointer);
        Refusal.Expect(good.Run(), HalfbyteStatus.InvalidHandle, "stream");
        packed.AssertUntouched("packed");
        absmax.AssertUntouched("absmax");
    }

    [Test]
    public void Dequantize_refuses()
    {
        foreach (bool nested in (bool[])[false, true])
        {
            using var weight = new Weight4Bit(Stream, 5, 30, new(QuantType.Nf4, 32, nested));
            using TestBuffer output = Allocate(5 * 30 * 4);
            FourBitWeight w = weight.Descriptor;
            var good = new Dequantize(Stream.Handle, w, output.Pointer, 1);
            List<(HalfbyteStatus, string, Dequantize)> refused =
            [
                (HalfbyteStatus.NullPointer, "stream", good with { Stream = 0 }),
                (HalfbyteStatus.NullPointer, "output", good with { Output = 0 }),
                (HalfbyteStatus.Misaligned, "output", good with { Output = output.Pointer + 2 }),
                (HalfbyteStatus.Misaligned, "output", good with { Output = output.Pointer + 1, DType = 2 }),
                (HalfbyteStatus.Overlap, "output", good with { Output = w.Packed & -4 }),
                (HalfbyteStatus.Overlap, "output", good with { Output = w.Absmax & -4 }),
                (HalfbyteStatus.InvalidDType, "dtype is 7", good with { DType = 7 }),
                .. WeightRefusals.Of(w, "weight").Select(refusal => (refusal.Status, refusal.Argument, good with { Weight = refusal.Weight })),
            ];
            foreach ((HalfbyteStatus status, string argument, Dequantize call) in refused)
            {
                Refusal.Expect(call.Run(), status, argument);
            }

            Refusal.Expect(Native.halfbyte_dequantize_4bit(Stream.Handle, 0, output.Pointer, 1), HalfbyteStatus.NullPointer, "weight");
            output.AssertUntouched("output");
            Assert.That((good with { Output = 0, Weight = new() { BlockSize = 64, QuantType = QuantType.Nf4, Device = Stream.Device } }).Run(), Is.Zero);
            Assert.That(good.Run(), Is.Zero);
        }
    }
}
