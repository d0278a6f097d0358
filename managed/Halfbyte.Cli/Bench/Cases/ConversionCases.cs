using Halfbyte.Cli.Bench.Peers;

namespace Halfbyte.Cli.Bench.Cases;

/// <summary>Quantizing and dequantizing: bound by memory, so the peer is a copy of the larger side, by as many threads.</summary>
internal static class ConversionCases
{
    internal static IReadOnlyList<BenchCase> All { get; } =
    [
        Case("dequantize nf4 to bf16", DequantizeNf4),
        Case("dequantize nf4 double-quantized to bf16", DequantizeNested),
        Case("quantize bf16 to nf4", QuantizeNf4),
        Case("quantize bf16 to fp4", QuantizeFp4),
        Case("quantize bf16 rows to int8", QuantizeInt8),
        Case("dequantize int8 to bf16", DequantizeInt8),
        Case("quantize bf16 blockwise to 8 bits", QuantizeBlockwise),
        Case("dequantize blockwise 8 bits to bf16", DequantizeBlockwise),
    ];

    private static BenchCase Case(string name, Func<string, BenchContext, BenchRow> measure) =>
        new(name, context => measure(name, context));

    private static BenchRow DequantizeNf4(string name, BenchContext context) =>
        Dequantize(name, context, context.Data.FourBit(doubleQuantized: false), must: 0.8);

    private static BenchRow DequantizeNested(string name, BenchContext context) =>
        Dequantize(name, context, context.Data.FourBit(doubleQuantized: true), must: null);

    private static BenchRow Dequantize(string name, BenchContext context, Linear4Bit[] layers, double? must)
    {
        nint stream = context.Stream.Handle;
        nint output = context.Data.Narrow.Pointer;
        FourBitWeight[] descriptors = Array.ConvertAll(layers, layer => layer.Weight.Descriptor);
        return AgainstCopy(
            name, context, "output", turn => Raw.DequantizeFourBit(stream, descriptors[turn % descriptors.Length], output, DType.BFloat16), must);
    }

    private static BenchRow QuantizeNf4(string name, BenchContext context) => QuantizeFourBit(name, context, QuantType.Nf4, must: 0.3);

    private static BenchRow QuantizeFp4(string name, BenchContext context) => QuantizeFourBit(name, context, QuantType.Fp4, must: null);

    private static BenchRow QuantizeFourBit(string name, BenchContext context, QuantType type, double? must)
    {
        const int BlockSize = 64;
        nint stream = context.Stream.Handle;
        nint input = context.Data.Source.Pointer;
        using var packed = new NativeBuffer(context.Elements / 2);
        using var absmax = new NativeBuffer(context.Elements / BlockSize * sizeof(float));
        return AgainstCopy(
            name, context, "input",
            _ => Raw.QuantizeFourBit(
                stream, input, DType.BFloat16, context.Elements, BlockSize, type, default, packed.Pointer, absmax.Pointer),
            must);
    }

    private static BenchRow QuantizeInt8(string name, BenchContext context)
    {
        nint stream = context.Stream.Handle;
        nint input = context.Data.Source.Pointer;
        using var codes = new NativeBuffer(context.Elements);
        using var absmax = new NativeBuffer(context.N * sizeof(float));
        long workspaceBytes = Raw.QuantizeInt8RowsWorkspace(stream, context.N, context.K, 0);
        using var workspace = new NativeBuffer(workspaceBytes);
        return AgainstCopy(
            name, context, "input",
            _ => Raw.QuantizeInt8Rows(
                stream, input, DType.BFloat16, context.N, context.K, context.K, 0, codes.Pointer, absmax.Pointer, 0, 0, workspace.Pointer,
                workspaceBytes),
            must: null);
    }

    private static BenchRow DequantizeInt8(string name, BenchContext context)
    {
        nint stream = context.Stream.Handle;
        nint output = context.Data.Narrow.Pointer;
        Int8Weight[] descriptors = Array.ConvertAll(context.Data.Int8(), layer => layer.Weight.Descriptor);
        return AgainstCopy(
            name, context, "output", turn => Raw.DequantizeInt8(stream, descriptors[turn % descriptors.Length], output, DType.BFloat16),
            must: null);
    }

    private static BenchRow QuantizeBlockwise(string name, BenchContext context)
    {
        const int BlockSize = 256;
        nint stream = context.Stream.Handle;
        nint input = context.Data.Source.Pointer;
        using var codes = new NativeBuffer(context.Elements);
        using var absmax = new NativeBuffer(context.Elements / BlockSize * sizeof(float));
        return AgainstCopy(
            name, context, "input",
            _ => Raw.QuantizeBlockwise(stream, input, DType.BFloat16, context.Elements, BlockSize, 0, codes.Pointer, absmax.Pointer),
            must: null);
    }

    private static BenchRow DequantizeBlockwise(string name, BenchContext context)
    {
        const int BlockSize = 256;
        nint stream = context.Stream.Handle;
        nint output = context.Data.Narrow.Pointer;
        using var codes = new NativeBuffer(context.Elements);
        using var absmax = new NativeBuffer(context.Elements / BlockSize * sizeof(float));
        Raw.QuantizeBlockwise(
            stream, context.Data.Source.Pointer, DType.BFloat16, context.Elements, BlockSize, 0, codes.Pointer, absmax.Pointer);
        return AgainstCopy(
            name, context, "output",
            _ => Raw.DequantizeBlockwise(stream, codes.Pointer, absmax.Pointer, context.Elements, BlockSize, 0, output, DType.BFloat16),
            must: null);
    }

    // All of these read or write [N, K] in bfloat16; that is what is copied, and what the bytes per second count.
    private static BenchRow AgainstCopy(string name, BenchContext context, string side, Action<int> ours, double? must)
    {
        nint source = context.Data.Source.Pointer;
        long bytes = context.Data.Source.ByteLength;
        using var destination = new NativeBuffer(bytes);
        Timing timing = Timing.Interleave(context, ours, _ => MemoryPass.Copy(context.Team, source, destination.Pointer, bytes));
        return BenchCase.Row(name, timing, bytes, "GB/s", $"memcpy of the same {side}, {context.ThreadsText}", must);
    }
}
