// sums[n, m] = sum over k of x[m, k] * (table[code(n, k)] * absmax(block of (n, k))),  any M
//
// R rows of the weight are dequantized, a chunk of K at a time, into a tile that stays in the first-level cache; then it is
// multiplied by all M rows of x, MR at a time, with R * MR accumulators in registers. Both run along K, so no data is transposed
// and an accumulator is a vector of partial sums; they are added up once per chunk. Bytes per weight: 1/2 + 4/blocksize. Limit
// aimed at: the rate of float32 fused multiply-adds (x is read from the second-level cache, 1/R load per multiply-add).
#pragma once

#include "matmul_4bit.h"
#include "matmul_4bit_decode.h"

namespace halfbyte::cpu {
namespace {

// out[r * M + m] += sum over k of tile[r][k] * x[m][k] for r < rows and a set of MR rows of x. Both operands are interleaved vector
// by vector; `vectors` is the number of vectors in a row.
template <int R, int MR>
inline void multiply_tile(const float* tile, const float* x, int64_t vectors, float* out, int64_t M, int64_t rows) {
    Lanes::Float sums[R][MR];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int m = 0; m < MR; ++m) sums[r][m] = Lanes::zero();
    for (int64_t v = 0; v < vectors; ++v, tile += R * kLanes, x += MR * kLanes) {
        Lanes::Float values[MR];
#pragma GCC unroll 4
        for (int m = 0; m < MR; ++m) values[m] = Lanes::load_to_register(x + m * kLanes);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const Lanes::Float weight = Lanes::load_to_register(tile + r * kLanes);
#pragma GCC unroll 4
            for (int m = 0; m < MR; ++m) sums[r][m] = Lanes::fma(weight, values[m], sums[r][m]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
        if (r >= rows) break;
        add_sums(sums[r], out + r * M);
    }
}

template <int R>
inline void panel(const Part4Bit& part) {
    static_assert(kSetRows == 4);
    const Weight4Bit& w = *part.weight;
    const Lanes::Table table = Lanes::table(w.table);
    const int64_t M = part.M;
    alignas(64) float tile[R * kChunk];
    for (int64_t i = 0; i < (part.last - part.first) * M; ++i) part.sums[i] = 0.0f;
    for (int64_t k = 0; k < w.K; k += kChunk) {
        const int64_t count = min_of(w.K - k, kChunk);
        const int64_t padded = whole_groups(count), vectors = padded / kLanes;
        for (int64_t n = part.first; n < part.last; n += R) {
            const int64_t rows = min_of(part.last - n, R);
            for (int64_t r = 0; r < rows; ++r) {
                const int64_t first = (n + r) * w.K + k;
                const int64_t next = first + R * w.K;
                for (int64_t byte = 0; byte < count / 2; byte += 64) prefetch(w.packed, next / 2 + byte);
                prefetch_statistics(w, next, count);
                StatisticsBuffer<kChunk> buffer;
                const float* const values = statistics(w, first, count, buffer);
                for (int64_t done = 0; done < count; done += kGroup)
                    dequantize_part(w, table, values, first, done, count, tile + done * R + r * kLanes, R * kLanes);
            }
            const float* x = part.x + k * M;
            float* out = part.sums + (n - part.first) * M;
            int64_t m = 0;
            for (; m + 4 <= M; m += 4) multiply_tile<R, 4>(tile, x + m * padded, vectors, out + m, M, rows);
            if (M - m == 3) multiply_tile<R, 3>(tile, x + m * padded, vectors, out + m, M, rows);
            if (M - m == 2) multiply_tile<R, 2>(tile, x + m * padded, vectors, out + m, M, rows);
            if (M - m == 1) multiply_tile<R, 1>(tile, x + m * padded, vectors, out + m, M, rows);
        }
    }
}

}  // namespace
}  // namespace halfbyte::cpu
