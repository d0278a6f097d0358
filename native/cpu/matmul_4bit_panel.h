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

// x as the kernels read it: groups as Lanes arranges them, `stride` apart, the last one filled up with zeros.
inline void arrange(const float* x, int64_t count, float* arranged, int64_t stride) {
    int64_t done = 0;
    for (; done + kGroup <= count; done += kGroup, arranged += 8 * stride) Lanes::arrange(x + done, arranged, stride);
    if (done == count) return;
    alignas(64) float padded[kGroup] = {};
    for (int64_t i = done; i < count; ++i) padded[i - done] = x[i];
    Lanes::arrange(padded, arranged, stride);
}

// out[r * M + m] += sum over k of tile[r][k] * x[m][k] for r < rows and a set of MR rows of x. Both operands are interleaved vector
// by vector; `vectors` is the number of vectors in a row. At each step the caller's `ahead` may ask for a line of memory.
template <int R, int MR, class Ahead>
[[gnu::always_inline]] inline void multiply_tile(const float* tile, const float* x, int64_t vectors, float* out, int64_t M,
                                                 int64_t rows, const Ahead& ahead) {
    Lanes::Float sums[R][MR];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int m = 0; m < MR; ++m) sums[r][m] = Lanes::zero();
    for (int64_t v = 0; v < vectors; ++v, tile += R * kLanes, x += MR * kLanes) {
        ahead();
        Lanes::Float weights[R];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) weights[r] = Lanes::load_to_register(tile + r * kLanes);
#pragma GCC unroll 4
        for (int m = 0; m < MR; ++m) {
            const Lanes::Float value = Lanes::load_to_register(x + m * kLanes);
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) sums[r][m] = Lanes::fma(weights[r], value, sums[r][m]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
        if (r >= rows) break;
        add_sums(sums[r], out + r * M);
    }
}

template <int R>
[[gnu::noinline]] inline void multiply_set(const float* tile, const float* x, int64_t vectors, float* out, int64_t M,
                                           int64_t rows) {
    multiply_tile<R, kSetRows>(tile, x, vectors, out, M, rows, []() __attribute__((always_inline)){});
}

// The set that meets the tile first asks for the bytes of the next tile while it computes.
template <int R>
[[gnu::noinline]] inline void multiply_first_set(const float* tile, const float* x, int64_t vectors, float* out, int64_t M,
                                                 int64_t rows, LineWalk lines) {
    const auto ahead = [&]() __attribute__((always_inline)) { lines.next(); };
    if (M >= 4) multiply_tile<R, 4>(tile, x, vectors, out, M, rows, ahead);
    else if (M == 3) multiply_tile<R, 3>(tile, x, vectors, out, M, rows, ahead);
    else if (M == 2) multiply_tile<R, 2>(tile, x, vectors, out, M, rows, ahead);
    else multiply_tile<R, 1>(tile, x, vectors, out, M, rows, ahead);
}

template <int R>
[[gnu::noinline]] inline void multiply_last_set(const float* tile, const float* x, int64_t vectors, float* out, int64_t M,
                                                int64_t rows) {
    const auto ahead = []() __attribute__((always_inline)){};
    if (M % 4 == 3) multiply_tile<R, 3>(tile, x, vectors, out, M, rows, ahead);
    else if (M % 4 == 2) multiply_tile<R, 2>(tile, x, vectors, out, M, rows, ahead);
    else multiply_tile<R, 1>(tile, x, vectors, out, M, rows, ahead);
}

template <int R>
inline void panel(const Part4Bit& part) {
    static_assert(kSetRows == 4);
    const Weight4Bit& w = *part.weight;
    const Dequantizer dequantizer(w, Lanes::table(w.table));
    const int64_t M = part.M;
    alignas(64) float tile[R * kChunk];
    for (int64_t i = 0; i < (part.last - part.first) * M; ++i) part.sums[i] = 0.0f;
    for (int64_t k = 0; k < w.K; k += kChunk) {
        const int64_t count = min_of(w.K - k, kChunk);
        const int64_t padded = whole_groups(count), vectors = padded / kLanes;
        const float* const x = part.x + k * M;
        for (int64_t n = part.first; n < part.last; n += R) {
            const int64_t rows = min_of(part.last - n, R);
            for (int64_t r = 0; r < rows; ++r) {
                const int64_t first = (n + r) * w.K + k;
                prefetch_statistics(w, first + R * w.K, count);
                StatisticsBuffer<kChunk> buffer;
                const float* const values = statistics(w, first, count, buffer);
                dequantizer.run(values, first, count, tile + r * kLanes, R * kLanes);
            }
            float* const out = part.sums + (n - part.first) * M;
            multiply_first_set<R>(tile, x, vectors, out, M, rows, LineWalk(w, n + R, k, k + count));
            int64_t m = kSetRows;
            for (; m + kSetRows <= M; m += kSetRows) multiply_set<R>(tile, x + m * padded, vectors, out + m, M, rows);
            if (m < M) multiply_last_set<R>(tile, x + m * padded, vectors, out + m, M, rows);
        }
    }
}

}  // namespace
}  // namespace halfbyte::cpu
