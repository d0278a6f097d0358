using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

using Halfbyte.Cli.Bench.Peers;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Bench.Cases;

/// <summary>What a call from C# costs beyond the native function: checks, handles held, and the garbage collector's transition.</summary>
internal static unsafe class CallCases
{
    private const double BudgetNanoseconds = 50;
    private const int Features = 1;
    private const int Inputs = 32; // one block: the work itself is next to nothing

    internal static IReadOnlyList<BenchCase> All { get; } =
    [
        new("Linear4Bit.Forward over the bare native call", Overhead),
        new("bytes allocated by Linear4Bit.Forward", Allocation),
    ];

    private static BenchRow Overhead(BenchContext context)
    {
        const int Calls = 2000; // short enough that some batches run undisturbed
        using var call = new SmallCall();
        Timing timing = Timing.Interleave(context, _ => call.ThroughLayer(Calls), _ => call.ThroughPointer(Calls));
        double bare = timing.PeerBest / Calls * 1e9;
        double cost = Math.Max(0, (timing.Best - timing.PeerBest) / Calls * 1e9);
        return new BenchRow(
            "Linear4Bit.Forward over the bare native call", cost, "ns",
            Format.Text($"a budget of {BudgetNanoseconds} ns over a function pointer with the same arguments ({bare:0.0} ns, N={Features}, K={Inputs})"),
            BudgetNanoseconds / Math.Max(cost, 0.1), 1)
        {
            Timing = timing,
        };
    }

    private static BenchRow Allocation(BenchContext context)
    {
        const int Calls = 1000;
        using var call = new SmallCall();
        call.ThroughLayer(Calls); // grows the workspace and compiles the call
        long before = GC.GetAllocatedBytesForCurrentThread();
        call.ThroughLayer(Calls);
        double bytes = (double)(GC.GetAllocatedBytesForCurrentThread() - before) / Calls;
        return new BenchRow("bytes allocated by Linear4Bit.Forward", bytes, "B", "none per call", bytes == 0 ? 1 : 0, 1);
    }

    /// <summary>One tiny product, through the layer and through the address of the C function.</summary>
    private sealed class SmallCall : IDisposable
    {
        private readonly ComputeStream _stream = ComputeStream.CreateCpu(CpuPath.Auto, threads: 1);
        private readonly Linear4Bit _layer;
        private readonly NativeBuffer _x = new(Inputs * sizeof(float));
        private readonly NativeBuffer _y = new(Features * sizeof(float));
        private readonly NativeBuffer _workspace;
        private readonly delegate* unmanaged[Cdecl]<nint, long, FourBitWeight*, nint, int, long, long, ProductOutput*, nint, long, int> _matMul;

        internal SmallCall()
        {
            float[] weight = [.. Enumerable.Range(0, Inputs).Select(i => i - 15.5f)];
            _layer = new Linear4Bit(FourBit.Quantize<float>(_stream, weight, Features, Inputs));
            _x.Span<float>().Fill(0.5f);
            _workspace = new NativeBuffer(_layer.ForwardWorkspace(_stream, DType.Float32, 1));
            _matMul = (delegate* unmanaged[Cdecl]<nint, long, FourBitWeight*, nint, int, long, long, ProductOutput*, nint, long, int>)
                FindExport("halfbyte_matmul_4bit");
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        internal void ThroughLayer(int calls)
        {
            var x = new ActivationsView(_x.Pointer, DType.Float32, 1, Inputs);
            var y = new ActivationsView(_y.Pointer, DType.Float32, 1, Features);
            for (int i = 0; i < calls; i++)
            {
                _layer.Forward(_stream, x, y);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        internal void ThroughPointer(int calls)
        {
            nint stream = _stream.Handle;
            FourBitWeight weight = _layer.Weight.Descriptor;
            var output = new ProductOutput { Y = _y.Pointer, LeadingDimension = Features };
            for (int i = 0; i < calls; i++)
            {
                int status = _matMul(
                    stream, 1, &weight, _x.Pointer, (int)DType.Float32, 1, Inputs, &output, _workspace.Pointer, _workspace.ByteLength);
                if (status != 0)
                {
                    throw new InvalidOperationException($"halfbyte_matmul_4bit returned status {status}.");
                }
            }
        }

        public void Dispose()
        {
            _layer.Dispose();
            _workspace.Dispose();
            _y.Dispose();
            _x.Dispose();
            _stream.Dispose();
        }

        // The library is loaded already; asking for it by its full path gives the same one.
        private static nint FindExport(string name)
        {
            using Process self = Process.GetCurrentProcess();
            foreach (ProcessModule module in self.Modules)
            {
                if (module.ModuleName.Contains("halfbyte_", StringComparison.OrdinalIgnoreCase)
                    && NativeLibrary.TryLoad(module.FileName, out nint library)
                    && NativeLibrary.TryGetExport(library, name, out nint export))
                {
                    return export;
                }
            }

            throw new InvalidOperationException($"The native library is loaded, but its function {name} cannot be found.");
        }
    }
}
