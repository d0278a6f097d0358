namespace Halfbyte.Tests;

/// <summary>What blockwise, double quantization and row-wise int8 refuse, and that a refusal touches nothing.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed unsafe class OtherAbiTests(string device) : DeviceTests(device)
{
    private const int N = 300;

    private record struct Blockwise(nint Stream, nint Values, int DType, long Length, long BlockSize, nint Codebook, nint Codes, nint Absmax)
    {
        public readonly int Quantize() => Native.halfbyte_quantize_blockwise(
            Stream, Values, DType, Length, BlockSize, (float*)Codebook, (byte*)Codes, (float*)Absmax);

        public readonly int Dequantize() => Native.halfbyte_dequantize_blockwise(
            Stream, (byte*)Codes, (float*)Absmax, Length, BlockSize, (float*)Codebook, Values, DType);
    }

    private record struct Double(nint Stream, nint Absmax, long Count, nint Codes, nint Nested, nint Offset, nint Codebook)
    {
        public readonly int Quantize() => Native.halfbyte_double_quantize(
            Stream, (float*)Absmax, Count, (byte*)Codes, (float*)Nested, (float*)Offset);

        public readonly int Dequantize() => Native.halfbyte_double_dequantize(
            Stream, (byte*)Codes, (float*)Nested, (float*)Offset, (float*)Codebook, Count, (float*)Absmax);
    }

    private record struct Rows(
        nint Stream, nint Input, int DType, long Height, long Width, long Ld, float Threshold, nint Codes, nint Absmax, nint Columns, nint Count,
        nint Workspace, long WorkspaceBytes)
    {
        public readonly int Run() => Native.halfbyte_quantize_int8_rows(
            Stream, Input, DType, Height, Width, Ld, Threshold, (sbyte*)Codes, (float*)Absmax, (long*)Columns, (long*)Count, Workspace, WorkspaceBytes);
    }

    [Test]
    public void Blockwise_refuses()
    {
        using TestBuffer values = Upload<float>(Data.Normal(1, N));
        using TestBuffer codes = Allocate(N);
        using TestBuffer absmax = Allocate(40);
        using TestBuffer output = Allocate(N * 4);
        using TestBuffer table = Upload<float>(Halfbyte.Blockwise.DynamicMapSigned);
        float[] unordered = Halfbyte.Blockwise.DynamicMapSigned.ToArray();
        (unordered[100], unordered[101]) = (unordered[101], unordered[100]);
        using TestBuffer badTable = Upload<float>(unordered);
        unordered = Halfbyte.Blockwise.DynamicMapSigned.ToArray();
        unordered[255] = float.NaN;
        using TestBuffer nanTable = Upload<float>(unordered);
        using TestBuffer integers = Upload<float>([.. Enumerable.Range(-128, 256)]);
        using TestBuffer oneValue = Upload<float>([.. Enumerable.Repeat(0.25f, 256)]);
        var good = new Blockwise(Stream.Handle, values.Pointer, 1, N, 32, table.Pointer, codes.Pointer, absmax.Pointer);
        List<(HalfbyteStatus, string, Blockwise)> refused =
        [
            (HalfbyteStatus.NullPointer, "stream", good with { Stream = 0 }),
            (HalfbyteStatus.NullPointer, "codes", good with { Codes = 0 }),
            (HalfbyteStatus.NullPointer, "absmax", good with { Absmax = 0 }),
            (HalfbyteStatus.Misaligned, "absmax", good with { Absmax = absmax.Pointer + 2 }),
            (HalfbyteStatus.Misaligned, "codebook", good with { Codebook = table.Pointer + 2 }),
            (HalfbyteStatus.InvalidSize, "n is -1", good with { Length = -1 }),
            (HalfbyteStatus.InvalidSize, "n is", good with { Length = long.MaxValue }),
            (HalfbyteStatus.InvalidDType, "dtype is 0", good with { DType = 0 }),
            (HalfbyteStatus.InvalidFormat, "blocksize is 16", good with { BlockSize = 16 }),
            (HalfbyteStatus.InvalidFormat, "blocksize is 96", good with { BlockSize = 96 }),
            (HalfbyteStatus.InvalidFormat, "blocksize is 8192", good with { BlockSize = 8192 }),
        ];
        foreach ((HalfbyteStatus status, string argument, Blockwise call) in refused)
        {
            Refusal.Expect(call.Quantize(), status, argument);
            Refusal.Expect((call with { Values = output.Pointer }).Dequantize(), status, argument);
        }

        Refusal.Expect((good with { Values = 0 }).Quantize(), HalfbyteStatus.NullPointer, "input");
        Refusal.Expect((good with { Values = values.Pointer + 1 }).Quantize(), HalfbyteStatus.Misaligned, "input");
        Refusal.Expect((good with { Codes = values.Pointer }).Quantize(), HalfbyteStatus.Overlap, "codes");
        Refusal.Expect((good with { Absmax = table.Pointer }).Quantize(), HalfbyteStatus.Overlap, "absmax");
        Refusal.Expect((good with { Values = 0 }).Dequantize(), HalfbyteStatus.NullPointer, "output");
        Refusal.Expect((good with { Values = table.Pointer }).Dequantize(), HalfbyteStatus.Overlap, "output");
        if (Stream.Device.IsCpu)
        {
            Refusal.Expect((good with { Codebook = badTable.Pointer }).Quantize(), HalfbyteStatus.InvalidFormat, "codebook[101]");
            Refusal.Expect((good with { Codebook = nanTable.Pointer }).Quantize(), HalfbyteStatus.InvalidFormat, "codebook[255]");
            Refusal.Expect((good with { Codebook = integers.Pointer }).Quantize(), HalfbyteStatus.InvalidFormat, "codebook[0] is -128");
            Refusal.Expect((good with { Codebook = oneValue.Pointer }).Quantize(), HalfbyteStatus.InvalidFormat, "the one value 0.25");
        }

        codes.AssertUntouched("codes");
        absmax.AssertUntouched("absmax");
        output.AssertUntouched("output");
        Assert.That((good with { Length = 0, Values = 0, Codes = 0, Absmax = 0 }).Quantize(), Is.Zero);
        Assert.That((good with { Length = 0, Values = 0, Codes = 0, Absmax = 0 }).Dequantize(), Is.Zero);
        Assert.That(good.Quantize(), Is.Zero);
        Assert.That((good with { Values = output.Pointer }).Dequantize(), Is.Zero);
    }

    [Test]
    public void Double_quantization_refuses()
    {
        using TestBuffer absmax = Upload<float>(Data.Normal(1, N));
        using TestBuffer codes = Allocate(N);
        using TestBuffer nested = Allocate(8);
        using TestBuffer offset = Allocate(4);
        using TestBuffer output = Allocate(N * 4);
        var good = new Double(Stream.Handle, absmax.Pointer, N, codes.Pointer, nested.Pointer, offset.Pointer, 0);
        (HalfbyteStatus, string, Double)[] refused =
        [
            (HalfbyteStatus.NullPointer, "stream", good with { Stream = 0 }),
            (HalfbyteStatus.NullPointer, "absmax", good with { Absmax = 0 }),
            (HalfbyteStatus.NullPointer, "codes", good with { Codes = 0 }),
            (HalfbyteStatus.NullPointer, "nested_absmax", good with { Nested = 0 }),
            (HalfbyteStatus.NullPointer, "offset", good with { Offset = 0 }),
            (HalfbyteStatus.Misaligned, "absmax", good with { Absmax = absmax.Pointer + 1 }),
            (HalfbyteStatus.Misaligned, "nested_absmax", good with { Nested = nested.Pointer + 2 }),
            (HalfbyteStatus.Misaligned, "offset", good with { Offset = offset.Pointer + 2 }),
            (HalfbyteStatus.InvalidSize, "count is -1", good with { Count = -1 }),
            (HalfbyteStatus.InvalidSize, "count is", good with { Count = long.MaxValue }),
        ];
        foreach ((HalfbyteStatus status, string argument, Double call) in refused)
        {
            Refusal.Expect(call.Quantize(), status, argument);
            Refusal.Expect((call with { Absmax = call.Absmax == absmax.Pointer ? output.Pointer : call.Absmax }).Dequantize(), status, argument);
        }

        Refusal.Expect((good with { Codes = absmax.Pointer }).Quantize(), HalfbyteStatus.Overlap, "codes");
        Refusal.Expect((good with { Offset = nested.Pointer + 4 }).Quantize(), HalfbyteStatus.Overlap, "offset");
        Refusal.Expect((good with { Codebook = output.Pointer + 2, Absmax = output.Pointer }).Dequantize(), HalfbyteStatus.Misaligned, "codebook");
        foreach (TestBuffer buffer in (TestBuffer[])[codes, nested, offset, output])
        {
            buffer.AssertUntouched("an output");
        }

        Assert.That((good with { Count = 0, Absmax = 0, Codes = 0, Nested = 0 }).Quantize(), Is.Zero);
        Assert.That(offset.Read<float>(), Is.EqualTo(new float[1]), "the offset of nothing is 0");
        Assert.That(good.Quantize(), Is.Zero);
        Assert.That((good with { Absmax = output.Pointer }).Dequantize(), Is.Zero);
    }

    [Test]
    public void Row_quantization_refuses()
    {
        const int Height = 4, Width = 50;
        using TestBuffer input = Upload<float>(Data.Normal(1, Height * Width));
        using TestBuffer codes = Allocate(Height * Width);
        using TestBuffer absmax = Allocate(Height * 4);
        using TestBuffer columns = Allocate(Width * 8);
        using TestBuffer count = Allocate(8);
        long bytes;
        Assert.That(Native.halfbyte_quantize_int8_rows_workspace(Stream.Handle, Height, Width, 6, &bytes), Is.Zero);
        using TestBuffer workspace = Allocate(bytes + 64);
        var good = new Rows(
            Stream.Handle, input.Pointer, 1, Height, Width, Width, 6, codes.Pointer, absmax.Pointer, columns.Pointer, count.Pointer, workspace.Pointer, bytes);
        List<(HalfbyteStatus, string, Rows)> refused =
        [
            (HalfbyteStatus.NullPointer, "stream", good with { Stream = 0 }),
            (HalfbyteStatus.NullPointer, "input", good with { Input = 0 }),
            (HalfbyteStatus.NullPointer, "codes", good with { Codes = 0 }),
            (HalfbyteStatus.NullPointer, "absmax", good with { Absmax = 0 }),
            (HalfbyteStatus.NullPointer, "outlier_columns", good with { Columns = 0 }),
            (HalfbyteStatus.NullPointer, "outlier_count", good with { Count = 0 }),
            (HalfbyteStatus.Misaligned, "input", good with { Input = input.Pointer + 2 }),
            (HalfbyteStatus.Misaligned, "absmax", good with { Absmax = absmax.Pointer + 2 }),
            (HalfbyteStatus.Misaligned, "outlier_columns", good with { Columns = columns.Pointer + 4 }),
            (HalfbyteStatus.Misaligned, "outlier_count", good with { Count = count.Pointer + 4 }),
            (HalfbyteStatus.Overlap, "codes", good with { Codes = input.Pointer }),
            (HalfbyteStatus.Overlap, "absmax", good with { Absmax = codes.Pointer }),
            (HalfbyteStatus.InvalidSize, "rows is -1", good with { Height = -1 }),
            (HalfbyteStatus.InvalidSize, "cols is -1", good with { Width = -1 }),
            (HalfbyteStatus.InvalidSize, "ldinput", good with { Ld = Width - 1 }),
            (HalfbyteStatus.InvalidSize, "rows", good with { Height = long.MaxValue / 8 }),
            (HalfbyteStatus.InvalidDType, "dtype is 0", good with { DType = 0 }),
            (HalfbyteStatus.InvalidValue, "threshold", good with { Threshold = -1 }),
            (HalfbyteStatus.InvalidValue, "threshold", good with { Threshold = float.NaN }),
            (HalfbyteStatus.InvalidSize, "workspace_bytes", good with { WorkspaceBytes = -1 }),
        ];
        if (bytes > 0)
        {
            refused.Add((HalfbyteStatus.WorkspaceTooSmall, "workspace", good with { WorkspaceBytes = bytes - 1 }));
            refused.Add((HalfbyteStatus.NullPointer, "workspace", good with { Workspace = 0 }));
            refused.Add((HalfbyteStatus.Misaligned, "workspace", good with { Workspace = workspace.Pointer + 8 }));
        }

        foreach ((HalfbyteStatus status, string argument, Rows call) in refused)
        {
            Refusal.Expect(call.Run(), status, argument);
        }

        Refusal.Expect(Native.halfbyte_quantize_int8_rows_workspace(Stream.Handle, -1, 1, 6, &bytes), HalfbyteStatus.InvalidSize, "rows");
        Refusal.Expect(Native.halfbyte_quantize_int8_rows_workspace(Stream.Handle, 1, 1, -6, &bytes), HalfbyteStatus.InvalidValue, "threshold");
        Refusal.Expect(Native.halfbyte_quantize_int8_rows_workspace(Stream.Handle, 1, 1, 6, null), HalfbyteStatus.NullPointer, "bytes");
        foreach (TestBuffer buffer in (TestBuffer[])[codes, absmax, columns, count, workspace])
        {
            buffer.AssertUntouched("an output");
        }

        Assert.That((good with { Threshold = 0, Columns = 0, Count = 0 }).Run(), Is.Zero, "without a threshold there is nowhere to list outliers");
        Assert.That(good.Run(), Is.Zero);
    }

    [Test]
    public void Dequantize_int8_refuses()
    {
        using var weight = new WeightInt8(Stream, 5, 30);
        using TestBuffer output = Allocate(5 * 30 * 4);
        int Run(Int8Weight w, nint target, int dtype) => Native.halfbyte_dequantize_int8(Stream.Handle, (nint)(&w), target, dtype);
        foreach ((HalfbyteStatus status, string argument, Int8Weight spoiled) in WeightRefusals.Of(weight.Descriptor, "weight"))
        {
            Refusal.Expect(Run(spoiled, output.Pointer, 1), status, argument);
        }

        Refusal.Expect(Run(weight.Descriptor, 0, 1), HalfbyteStatus.NullPointer, "output");
        Refusal.Expect(Run(weight.Descriptor, output.Pointer + 2, 1), HalfbyteStatus.Misaligned, "output");
        Refusal.Expect(Run(weight.Descriptor, weight.Descriptor.Codes, 1), HalfbyteStatus.Overlap, "output");
        Refusal.Expect(Run(weight.Descriptor, output.Pointer, 0), HalfbyteStatus.InvalidDType, "dtype");
        Refusal.Expect(Native.halfbyte_dequantize_int8(Stream.Handle, 0, output.Pointer, 1), HalfbyteStatus.NullPointer, "weight");
        Refusal.Expect(Native.halfbyte_dequantize_int8(0, 0, output.Pointer, 1), HalfbyteStatus.NullPointer, "stream");
        output.AssertUntouched("output");
        Assert.That(Run(weight.Descriptor, output.Pointer, 1), Is.Zero);
    }
}
