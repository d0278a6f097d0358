using Halfbyte.Cli.Bench.Peers;

namespace Halfbyte.Cli.Bench.Cases;

/// <summary>LLM.int8() products with a weight that comes from memory, not from a cache. The threshold is 6, as models are run; the
/// activations are bell-shaped, so no column is an outlier.</summary>
internal static class Int8ProductCases
{
    internal static IReadOnlyList<BenchCase> All { get; } = [AgainstRead(), AgainstDequantize(64)];

    private static BenchCase AgainstRead()
    {
        const string Name = "int8 product M=1 bf16, cold";
        return new BenchCase(Name, context =>
        {
            Linear8Bit[] layers = context.Data.Int8();
            using ForwardPass forward = new(context, layers, 1);
            long bytes = layers[0].Weight.Codes.ByteLength;
            Timing timing = Timing.Interleave(
                context, forward.Run, turn => MemoryPass.Read(context.Team, layers[turn % layers.Length].Weight.Codes.Pointer, bytes));
            return BenchCase.Row(Name, timing, bytes, "GB/s", $"read-only pass over the codes, {context.ThreadsText}", must: null);
        });
    }

    private static BenchCase AgainstDequantize(int m)
    {
        string name = $"int8 product M={m} bf16, cold";
        return new BenchCase(name, context =>
        {
            Linear8Bit[] layers = context.Data.Int8();
            using ForwardPass forward = new(context, layers, m);
            using var product = new SinglePrecisionProduct(context.Team, m, context.N, context.K);
            using NativeBuffer x = BenchData.Activations(DType.Float32, m, context.K);
            using var y = new NativeBuffer((long)m * context.N * sizeof(float));
            nint stream = context.Stream.Handle;
            nint wide = context.Data.Wide.Pointer;
            Int8Weight[] descriptors = Array.ConvertAll(layers, layer => layer.Weight.Descriptor);
            Timing timing = Timing.Interleave(context, forward.Run, turn =>
            {
                Raw.DequantizeInt8(stream, descriptors[turn % descriptors.Length], wide, DType.Float32);
                product.Multiply(x.Pointer, wide, y.Pointer);
            });
            return BenchCase.Row(
                name, timing, 2.0 * m * context.Elements, "GFLOP/s",
                $"dequantize to fp32, then {SinglePrecisionProduct.Description}, {context.ThreadsText}", must: null);
        });
    }

    private sealed class ForwardPass : IDisposable
    {
        private readonly BenchContext _context;
        private readonly Linear8Bit[] _layers;
        private readonly NativeBuffer _x;
        private readonly NativeBuffer _y;
        private readonly ActivationsView _input;
        private readonly ActivationsView _output;

        internal ForwardPass(BenchContext context, Linear8Bit[] layers, int m)
        {
            _context = context;
            _layers = layers;
            _x = BenchData.Activations(DType.BFloat16, m, context.K);
            _y = new NativeBuffer(2L * m * context.N);
            _input = new ActivationsView(_x.Pointer, DType.BFloat16, m, context.K);
            _output = new ActivationsView(_y.Pointer, DType.BFloat16, m, context.N);
        }

        internal void Run(int turn) => _layers[turn % _layers.Length].Forward(_context.Stream, _input, _output);

        public void Dispose()
        {
            _x.Dispose();
            _y.Dispose();
        }
    }
}
