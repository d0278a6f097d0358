using Halfbyte.Cli.Bench.Peers;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Bench.Cases;

/// <summary>Products with a 4-bit weight that comes from memory, not from a cache.</summary>
internal static class FourBitProductCases
{
    internal static IReadOnlyList<BenchCase> All { get; } =
    [
        AgainstRead(DType.BFloat16, doubleQuantized: false, must: 0.6),
        AgainstRead(DType.Float32, doubleQuantized: false, must: null),
        DoubleQuantizedAgainstPlain(),
        AgainstDequantize(DType.BFloat16, 8, must: null),
        AgainstDequantize(DType.BFloat16, 16, must: null),
        AgainstDotProducts(64, must: 3.0),
        AgainstDequantize(DType.BFloat16, 64, must: null),
        AgainstDequantize(DType.Float32, 64, must: null),
        TransposedAgainstForward(1),
        TransposedAgainstForward(64),
    ];

    // M = 1 reads every weight once and computes little: a pass that only reads the packed bytes is the floor. The statistics are
    // read too, but counted on neither side.
    private static BenchCase AgainstRead(DType dtype, bool doubleQuantized, double? must)
    {
        string name = $"nf4 product M=1 {Short(dtype)}, cold";
        return new BenchCase(name, context =>
        {
            using ForwardPass forward = new(context, doubleQuantized, dtype, 1);
            Linear4Bit[] layers = forward.Layers;
            long bytes = layers[0].Weight.Packed.ByteLength;
            Timing timing = Timing.Interleave(
                context, forward.Run, turn => MemoryPass.Read(context.Team, layers[turn % layers.Length].Weight.Packed.Pointer, bytes));
            return BenchCase.Row(
                name, timing, bytes, "GB/s", $"read-only pass over the packed bytes, {context.ThreadsText}", must);
        });
    }

    private static BenchCase DoubleQuantizedAgainstPlain()
    {
        const string Name = "nf4 double-quantized product M=1 bf16, cold";
        return new BenchCase(Name, context =>
        {
            using ForwardPass nested = new(context, doubleQuantized: true, DType.BFloat16, 1);
            using ForwardPass plain = new(context, doubleQuantized: false, DType.BFloat16, 1);
            Timing timing = Timing.Interleave(context, nested.Run, plain.Run);
            return BenchCase.Row(
                Name, timing, nested.Layers[0].Weight.Packed.ByteLength, "GB/s", "the same product with float32 statistics", must: null);
        });
    }

    // The multiply that .NET has by itself...
    private static BenchCase AgainstDotProducts(int m, double? must) =>
        AgainstDequantize(
            $"nf4 product M={m} bf16, cold, over dot products", DType.BFloat16, m, must, DotProducts.Description,
            context => (new DotProducts(context.Team, m, context.N, context.K).Multiply, null));

    // ...and one written for this comparison, blocked for registers and caches.
    private static BenchCase AgainstDequantize(DType dtype, int m, double? must) =>
        AgainstDequantize(
            $"nf4 product M={m} {Short(dtype)}, cold", dtype, m, must, SinglePrecisionProduct.Description,
            context =>
            {
                var product = new SinglePrecisionProduct(context.Team, m, context.N, context.K);
                return (product.Multiply, product);
            });

    private static BenchCase AgainstDequantize(
        string name, DType dtype, int m, double? must, string description,
        Func<BenchContext, (Action<nint, nint, nint> Multiply, IDisposable? Owner)> makeMultiply) => new(name, context =>
        {
            using ForwardPass forward = new(context, doubleQuantized: false, dtype, m);
            using NativeBuffer x = BenchData.Activations(DType.Float32, m, context.K);
            using var y = new NativeBuffer((long)m * context.N * sizeof(float));
            (Action<nint, nint, nint> multiply, IDisposable? owner) = makeMultiply(context);
            using IDisposable? disposed = owner;
            nint stream = context.Stream.Handle;
            nint wide = context.Data.Wide.Pointer;
            FourBitWeight[] descriptors = Array.ConvertAll(forward.Layers, layer => layer.Weight.Descriptor);
            Timing timing = Timing.Interleave(context, forward.Run, turn =>
            {
                Raw.DequantizeFourBit(stream, descriptors[turn % descriptors.Length], wide, DType.Float32);
                multiply(x.Pointer, wide, y.Pointer);
            });
            double operations = 2.0 * m * context.Elements;
            return BenchCase.Row(
                name, timing, operations, "GFLOP/s", $"dequantize to fp32, then {description}, {context.ThreadsText}", must);
        });

    private static BenchCase TransposedAgainstForward(int m)
    {
        string name = $"nf4 transposed product M={m} bf16, cold";
        return new BenchCase(name, context =>
        {
            using ForwardPass forward = new(context, doubleQuantized: false, DType.BFloat16, m);
            using NativeBuffer dy = BenchData.Activations(DType.BFloat16, m, context.N);
            using var dx = new NativeBuffer(2L * m * context.K);
            var gradient = new ActivationsView(dy.Pointer, DType.BFloat16, m, context.N);
            var result = new ActivationsView(dx.Pointer, DType.BFloat16, m, context.K);
            Linear4Bit[] layers = forward.Layers;
            Timing timing = Timing.Interleave(
                context, turn => layers[turn % layers.Length].Backward(context.Stream, gradient, result), forward.Run);
            return BenchCase.Row(name, timing, 2.0 * m * context.Elements, "GFLOP/s", "the forward product of the same shape", must: null);
        });
    }

    private static string Short(DType dtype) => dtype == DType.Float32 ? "fp32" : "bf16";

    /// <summary><see cref="Linear4Bit.Forward(ComputeStream, ActivationsView, ActivationsView)"/> round the copies of the weight.</summary>
    private sealed class ForwardPass : IDisposable
    {
        private readonly BenchContext _context;
        private readonly NativeBuffer _x;
        private readonly NativeBuffer _y;
        private readonly ActivationsView _input;
        private readonly ActivationsView _output;

        internal ForwardPass(BenchContext context, bool doubleQuantized, DType dtype, int m)
        {
            _context = context;
            Layers = context.Data.FourBit(doubleQuantized);
            _x = BenchData.Activations(dtype, m, context.K);
            _y = new NativeBuffer((long)m * context.N * dtype.SizeInBytes());
            _input = new ActivationsView(_x.Pointer, dtype, m, context.K);
            _output = new ActivationsView(_y.Pointer, dtype, m, context.N);
        }

        internal Linear4Bit[] Layers { get; }

        internal void Run(int turn) => Layers[turn % Layers.Length].Forward(_context.Stream, _input, _output);

        public void Dispose()
        {
            _x.Dispose();
            _y.Dispose();
        }
    }
}
