using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Halfbyte.Cli.Bench.Peers;

/// <summary>
/// <c>y[M,N] = x[M,K] * W[N,K]^T</c> in float32, as well as C# does it: the multiply that follows a dequantization.
/// </summary>
/// <remarks>
/// x is packed so that 64 rows (or 16) of one column lie side by side; a tile of 4 weight rows by 64 activation rows is kept in 16
/// vector accumulators. Per column that is 4 loads, 4 broadcasts and 16 fused multiply-adds, so the multiplier is the limit, not the
/// loads. K is cut into panels of 1024 columns, whose packed x (256 KiB) stays in the second-level cache while the weights stream
/// past once. The weight rows are divided among the threads.
/// </remarks>
internal sealed unsafe class SinglePrecisionProduct : IDisposable
{
    private const int PanelColumns = 1024;
    private const int RowsPerTile = 4;

    private readonly ThreadTeam _team;
    private readonly int _rows;
    private readonly int _features;
    private readonly int _depth;
    private readonly int _width;
    private readonly NativeBuffer _packedX;
    private readonly NativeBuffer _transposedY;

    /// <param name="team">The threads.</param>
    /// <param name="m">Rows of activations; padded to a whole tile.</param>
    /// <param name="n">Rows of the weight; a multiple of 4.</param>
    /// <param name="k">Columns of both.</param>
    internal SinglePrecisionProduct(ThreadTeam team, int m, int n, int k)
    {
        if (n % RowsPerTile != 0)
        {
            throw new ArgumentException($"N must be a multiple of {RowsPerTile}.", nameof(n));
        }

        _team = team;
        (_rows, _features, _depth) = (m, n, k);
        _width = Vector512.IsHardwareAccelerated ? 64 : 16;
        int paddedM = (m + _width - 1) / _width * _width;
        _packedX = new NativeBuffer((long)paddedM * k * sizeof(float));
        _transposedY = new NativeBuffer((long)paddedM * n * sizeof(float));
    }

    internal static string Description =>
        Vector512.IsHardwareAccelerated ? "a blocked fp32 multiply (4x64 tiles, Vector512 FMA)" : "a blocked fp32 multiply (4x16 tiles, Vector256 FMA)";

    internal void Multiply(nint x, nint weight, nint y)
    {
        _team.Run(member =>
        {
            (long first, long count) = _team.Part(member, _depth, 16);
            Pack((float*)x, (int)first, (int)(first + count));
        });
        _team.Run(member =>
        {
            (long first, long count) = _team.Part(member, _features, RowsPerTile);
            MultiplyRows((float*)weight, (int)first, (int)count);
            Unpack((float*)y, (int)first, (int)(first + count));
        });
    }

    public void Dispose()
    {
        _packedX.Dispose();
        _transposedY.Dispose();
    }

    // packed[tile][k][row in tile]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pack(float* x, int begin, int end)
    {
        float* packed = (float*)_packedX.Pointer;
        for (int first = 0; first < _rows; first += _width)
        {
            int used = Math.Min(_width, _rows - first);
            float* tile = packed + ((long)first * _depth);
            for (int k0 = begin; k0 < end; k0 += 16)
            {
                int columns = Math.Min(16, end - k0);
                for (int row = 0; row < _width; row++)
                {
                    float* source = x + ((long)(first + row) * _depth) + k0;
                    for (int k = 0; k < columns; k++)
                    {
                        tile[((long)(k0 + k) * _width) + row] = row < used ? source[k] : 0;
                    }
                }
            }
        }
    }

    // transposed[tile][n][row in tile] -> y[m][n]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Unpack(float* y, int begin, int end)
    {
        float* transposed = (float*)_transposedY.Pointer;
        for (int m = 0; m < _rows; m++)
        {
            float* source = transposed + ((long)(m / _width) * _width * _features) + (m % _width);
            float* row = y + ((long)m * _features);
            for (int n = begin; n < end; n++)
            {
                row[n] = source[(long)n * _width];
            }
        }
    }

    private void MultiplyRows(float* weight, int first, int count)
    {
        float* packed = (float*)_packedX.Pointer;
        float* transposed = (float*)_transposedY.Pointer;
        for (int k0 = 0; k0 < _depth; k0 += PanelColumns)
        {
            int columns = Math.Min(PanelColumns, _depth - k0);
            for (int n = first; n < first + count; n += RowsPerTile)
            {
                float* weightRows = weight + ((long)n * _depth) + k0;
                for (int m = 0; m < _rows; m += _width)
                {
                    float* x = packed + ((long)m * _depth) + ((long)k0 * _width);
                    float* sums = transposed + ((long)m * _features) + ((long)n * _width);
                    if (Vector512.IsHardwareAccelerated)
                    {
                        Tile512(weightRows, _depth, x, columns, sums, k0 > 0);
                    }
                    else
                    {
                        Tile256(weightRows, _depth, x, columns, sums, k0 > 0);
                    }
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile512(float* w, long stride, float* x, int columns, float* sums, bool accumulate)
    {
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
        float* w1 = w + stride;
        float* w2 = w1 + stride;
        float* w3 = w2 + stride;
        for (int k = 0; k < columns; k++, x += 64)
        {
            Vector512<float> x0 = Vector512.Load(x), x1 = Vector512.Load(x + 16), x2 = Vector512.Load(x + 32), x3 = Vector512.Load(x + 48);
            Vector512<float> v = Vector512.Create(w[k]);
            a0 = Vector512.FusedMultiplyAdd(v, x0, a0);
            a1 = Vector512.FusedMultiplyAdd(v, x1, a1);
            a2 = Vector512.FusedMultiplyAdd(v, x2, a2);
            a3 = Vector512.FusedMultiplyAdd(v, x3, a3);
            v = Vector512.Create(w1[k]);
            b0 = Vector512.FusedMultiplyAdd(v, x0, b0);
            b1 = Vector512.FusedMultiplyAdd(v, x1, b1);
            b2 = Vector512.FusedMultiplyAdd(v, x2, b2);
            b3 = Vector512.FusedMultiplyAdd(v, x3, b3);
            v = Vector512.Create(w2[k]);
            c0 = Vector512.FusedMultiplyAdd(v, x0, c0);
            c1 = Vector512.FusedMultiplyAdd(v, x1, c1);
            c2 = Vector512.FusedMultiplyAdd(v, x2, c2);
            c3 = Vector512.FusedMultiplyAdd(v, x3, c3);
            v = Vector512.Create(w3[k]);
            d0 = Vector512.FusedMultiplyAdd(v, x0, d0);
            d1 = Vector512.FusedMultiplyAdd(v, x1, d1);
            d2 = Vector512.FusedMultiplyAdd(v, x2, d2);
            d3 = Vector512.FusedMultiplyAdd(v, x3, d3);
        }

        Store512(sums, a0, a1, a2, a3, accumulate);
        Store512(sums + 64, b0, b1, b2, b3, accumulate);
        Store512(sums + 128, c0, c1, c2, c3, accumulate);
        Store512(sums + 192, d0, d1, d2, d3, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store512(
        float* sums, Vector512<float> s0, Vector512<float> s1, Vector512<float> s2, Vector512<float> s3, bool accumulate)
    {
        if (accumulate)
        {
            s0 += Vector512.Load(sums);
            s1 += Vector512.Load(sums + 16);
            s2 += Vector512.Load(sums + 32);
            s3 += Vector512.Load(sums + 48);
        }

        s0.Store(sums);
        s1.Store(sums + 16);
        s2.Store(sums + 32);
        s3.Store(sums + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile256(float* w, long stride, float* x, int columns, float* sums, bool accumulate)
    {
        Vector256<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default;
        float* w1 = w + stride;
        float* w2 = w1 + stride;
        float* w3 = w2 + stride;
        for (int k = 0; k < columns; k++, x += 16)
        {
            Vector256<float> x0 = Vector256.Load(x), x1 = Vector256.Load(x + 8);
            Vector256<float> v = Vector256.Create(w[k]);
            a0 = Vector256.FusedMultiplyAdd(v, x0, a0);
            a1 = Vector256.FusedMultiplyAdd(v, x1, a1);
            v = Vector256.Create(w1[k]);
            b0 = Vector256.FusedMultiplyAdd(v, x0, b0);
            b1 = Vector256.FusedMultiplyAdd(v, x1, b1);
            v = Vector256.Create(w2[k]);
            c0 = Vector256.FusedMultiplyAdd(v, x0, c0);
            c1 = Vector256.FusedMultiplyAdd(v, x1, c1);
            v = Vector256.Create(w3[k]);
            d0 = Vector256.FusedMultiplyAdd(v, x0, d0);
            d1 = Vector256.FusedMultiplyAdd(v, x1, d1);
        }

        Store256(sums, a0, a1, accumulate);
        Store256(sums + 16, b0, b1, accumulate);
        Store256(sums + 32, c0, c1, accumulate);
        Store256(sums + 48, d0, d1, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store256(float* sums, Vector256<float> s0, Vector256<float> s1, bool accumulate)
    {
        if (accumulate)
        {
            s0 += Vector256.Load(sums);
            s1 += Vector256.Load(sums + 8);
        }

        s0.Store(sums);
        s1.Store(sums + 8);
    }
}
