using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Halfbyte.Cli.Bench.Peers;

/// <summary>
/// <c>y[M,N] = x[M,K] * W[N,K]^T</c> in float32 as one vectorised dot product per output: what .NET offers by itself
/// (<c>TensorPrimitives.Dot</c>), since it has no matrix product. The weight rows are divided among the threads, and each is used for
/// all rows of x while it is in the cache.
/// </summary>
internal sealed unsafe class DotProducts(ThreadTeam team, int m, int n, int k)
{
    internal const string Description = "a vectorised dot product per output, as TensorPrimitives.Dot";

    internal void Multiply(nint x, nint weight, nint y) => team.Run(member =>
    {
        (long first, long count) = team.Part(member, n, 1);
        for (long column = first; column < first + count; column++)
        {
            for (long row = 0; row < m; row++)
            {
                ((float*)y)[(row * n) + column] = Dot((float*)x + (row * k), (float*)weight + (column * k), k);
            }
        }
    });

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot(float* a, float* b, int count)
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
        int i = 0;
        for (; i <= count - 64; i += 64)
        {
            s0 = Vector512.FusedMultiplyAdd(Vector512.Load(a + i), Vector512.Load(b + i), s0);
            s1 = Vector512.FusedMultiplyAdd(Vector512.Load(a + i + 16), Vector512.Load(b + i + 16), s1);
            s2 = Vector512.FusedMultiplyAdd(Vector512.Load(a + i + 32), Vector512.Load(b + i + 32), s2);
            s3 = Vector512.FusedMultiplyAdd(Vector512.Load(a + i + 48), Vector512.Load(b + i + 48), s3);
        }

        float sum = Vector512.Sum(s0 + s1 + s2 + s3);
        for (; i < count; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }
}
