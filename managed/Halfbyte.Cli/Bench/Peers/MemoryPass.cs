using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Halfbyte.Cli.Bench.Peers;

/// <summary>The two yardsticks of memory: a copy, and a pass that only reads.</summary>
internal static unsafe class MemoryPass
{
    private const long Grain = 4096;

    /// <summary>Copies with one slice per thread. <see cref="Buffer.MemoryCopy(void*, void*, long, long)"/> is the C library's memmove.</summary>
    internal static void Copy(ThreadTeam team, nint source, nint destination, long bytes) => team.Run(member =>
    {
        (long start, long length) = team.Part(member, bytes, Grain);
        Buffer.MemoryCopy((void*)(source + start), (void*)(destination + start), length, length);
    });

    /// <summary>Reads with one slice per thread, the widest loads there are and eight sums at a time; returns something that depends
    /// on every byte, so that no load can be left out.</summary>
    internal static long Read(ThreadTeam team, nint source, long bytes)
    {
        long total = 0;
        team.Run(member =>
        {
            (long start, long length) = team.Part(member, bytes, Grain);
            long sum = Vector512.IsHardwareAccelerated
                ? Sum512((long*)(source + start), length / sizeof(long))
                : Sum256((long*)(source + start), length / sizeof(long));
            Interlocked.Add(ref total, sum);
        });
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Sum512(long* data, long count)
    {
        Vector512<long> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
        long i = 0;
        for (; i <= count - 64; i += 64)
        {
            s0 += Vector512.Load(data + i);
            s1 += Vector512.Load(data + i + 8);
            s2 += Vector512.Load(data + i + 16);
            s3 += Vector512.Load(data + i + 24);
            s4 += Vector512.Load(data + i + 32);
            s5 += Vector512.Load(data + i + 40);
            s6 += Vector512.Load(data + i + 48);
            s7 += Vector512.Load(data + i + 56);
        }

        long sum = Vector512.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
        for (; i < count; i++)
        {
            sum += data[i];
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Sum256(long* data, long count)
    {
        Vector256<long> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
        long i = 0;
        for (; i <= count - 32; i += 32)
        {
            s0 += Vector256.Load(data + i);
            s1 += Vector256.Load(data + i + 4);
            s2 += Vector256.Load(data + i + 8);
            s3 += Vector256.Load(data + i + 12);
            s4 += Vector256.Load(data + i + 16);
            s5 += Vector256.Load(data + i + 20);
            s6 += Vector256.Load(data + i + 24);
            s7 += Vector256.Load(data + i + 28);
        }

        long sum = Vector256.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
        for (; i < count; i++)
        {
            sum += data[i];
        }

        return sum;
    }
}
