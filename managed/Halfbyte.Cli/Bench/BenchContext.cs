using Halfbyte.Cli.Bench.Peers;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Bench;

/// <summary>What all cases of one run share: the stream, the peers' threads, the layer's shape, random data.</summary>
internal sealed class BenchContext : IDisposable
{
    internal BenchContext(int threads, bool quick, ILogger logger, CancellationToken cancellation)
    {
        Quick = quick;
        Cancellation = cancellation;
        Stream = ComputeStream.CreateCpu(CpuPath.Auto, threads, logger);
        Team = new ThreadTeam(threads);
        (N, K) = quick ? (256, 1024) : (4096, 14336); // a down projection of an 8-billion-parameter model
        CacheBytes = MachineInfo.FindLastLevelCacheBytes();
        Data = new BenchData(this);
    }

    internal bool Quick { get; }

    internal CancellationToken Cancellation { get; }

    internal ComputeStream Stream { get; }

    internal ThreadTeam Team { get; }

    internal BenchData Data { get; }

    internal int N { get; }

    internal int K { get; }

    internal int Elements => N * K;

    internal long CacheBytes { get; }

    internal string ThreadsText => Team.Size == 1 ? "1 thread" : $"{Team.Size} threads";

    /// <summary>How many buffers of this size to go round, so that each is out of the caches when its turn comes: together more than
    /// four times the last-level cache. The number is odd: two that take turns both get to all of them.</summary>
    internal int Copies(long bytes) => Quick ? 3 : (int)Math.Max(3, (4 * CacheBytes / bytes) + 1) | 1;

    /// <summary>Weights as they are in a model: bell-shaped, a few hundredths wide.</summary>
    internal static void FillWeights(Span<BFloat16> weights, int seed)
    {
        var random = new Random(seed);
        for (int i = 0; i < weights.Length; i++)
        {
            weights[i] = (BFloat16)(0.02f * Bell(random));
        }
    }

    internal static void FillActivations(Span<float> activations, int seed)
    {
        var random = new Random(seed);
        for (int i = 0; i < activations.Length; i++)
        {
            activations[i] = Bell(random);
        }
    }

    public void Dispose()
    {
        Data.Dispose();
        Team.Dispose();
        Stream.Dispose();
    }

    // The sum of four uniform numbers, with variance 1: near enough to a normal one, and fast.
    private static float Bell(Random random)
    {
        const float Scale = 1.7320508f; // 1 / sqrt(4 / 12)
        ulong bits = (ulong)random.NextInt64();
        float sum = (bits & 0x7FFF) + ((bits >> 15) & 0x7FFF) + ((bits >> 30) & 0x7FFF) + ((bits >> 45) & 0x7FFF);
        return ((sum / 32768f) - 2f) * Scale;
    }
}
