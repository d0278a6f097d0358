// An engine with memory of its own: q, k and v by one call on raw pointers, in a loop that allocates nothing.
//   dotnet run -c Release --project samples/EngineLoop
using System.Diagnostics;
using System.Runtime.InteropServices;

using Halfbyte;

const int K = 4096;             // hidden size
const int BlockSize = 64;
const int Tokens = 1;
int[] features = [4096, 256, 256]; // q, k, v of InternLM3: two key-value heads

using var stream = ComputeStream.Create(Device.Cpu);
nint handle = stream.Handle;

// The engine's arena: packed codes, statistics, activations. Halfbyte only ever sees addresses.
using var arena = new Arena();
var weights = new FourBitWeight[features.Length];
var outputs = new ProductOutput[features.Length];
for (int i = 0; i < features.Length; i++)
{
    long elements = (long)features[i] * K;
    nint original = arena.Allocate(elements * sizeof(float));
    Arena.FillRandom(original, elements, seed: i);
    weights[i] = new FourBitWeight
    {
        Packed = arena.Allocate(elements / 2),
        Absmax = arena.Allocate(elements / BlockSize * sizeof(float)),
        Rows = features[i],
        Columns = K,
        BlockSize = BlockSize,
        QuantType = QuantType.Nf4,
        Device = Device.Cpu,
    };
    Raw.QuantizeFourBit(
        handle, original, DType.Float32, elements, BlockSize, QuantType.Nf4, default, weights[i].Packed, weights[i].Absmax);
    outputs[i] = new ProductOutput { Y = arena.Allocate(Tokens * features[i] * sizeof(float)), LeadingDimension = features[i] };
}

nint x = arena.Allocate(Tokens * K * sizeof(float));
Arena.FillRandom(x, Tokens * K, seed: 100);
long workspaceBytes = Raw.MatMulFourBitWorkspace(handle, weights, DType.Float32, Tokens);
nint workspace = arena.Allocate(workspaceBytes);

const int Steps = 1000;
Raw.MatMulFourBit(handle, weights, x, DType.Float32, Tokens, K, outputs, workspace, workspaceBytes);
long allocated = GC.GetAllocatedBytesForCurrentThread();
long start = Stopwatch.GetTimestamp();
for (int step = 0; step < Steps; step++)
{
    Raw.MatMulFourBit(handle, weights, x, DType.Float32, Tokens, K, outputs, workspace, workspaceBytes);
}

allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
stream.Synchronize(); // a CUDA stream has only enqueued until here
double microseconds = Stopwatch.GetElapsedTime(start).TotalMicroseconds / Steps;
Console.WriteLine($"{stream}: q, k and v in {microseconds:0} us a step, {allocated} bytes allocated in {Steps} steps");

/// <summary>Memory outside the managed heap, aligned as the C header asks, freed at once.</summary>
internal sealed unsafe class Arena : IDisposable
{
    private const int Alignment = 256;

    private readonly List<nint> _blocks = [];

    public nint Allocate(long bytes)
    {
        nint block = (nint)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), Alignment);
        _blocks.Add(block);
        return block;
    }

    public static void FillRandom(nint destination, long count, int seed)
    {
        var random = new Random(seed);
        foreach (ref float value in new Span<float>((void*)destination, checked((int)count)))
        {
            value = 0.02f * (random.NextSingle() + random.NextSingle() - 1);
        }
    }

    public void Dispose()
    {
        foreach (nint block in _blocks)
        {
            NativeMemory.AlignedFree((void*)block);
        }
    }
}
