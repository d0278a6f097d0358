// dx[m, k] += sum over n of dy[n, m] * (table[code(n, k)] * absmax(block of (n, k))),  any M
//
// kRows rows of the weight are dequantized, one group of columns at a time, into a tile that stays in the first-level cache; then
// it is multiplied by the gradients, MR rows of dx at a time: 4 vectors of columns times MR accumulators in registers, the gradient
// broadcast. The sum over kRows rows joins dx once. Bytes per weight: 1/2 + 4/blocksize. Limit aimed at: the rate of float32 fused
// multiply-adds.
#pragma once

#include "matmul_4bit_decode.h"
#include "matmul_4bit_transposed.h"

namespace halfbyte::cpu {
namespace {

// dx[m][v] += sum over n of dy[n][m] * tile[n][v] for 4 vectors v and MR rows m.
template <int MR>
inline void add_product(const float* tile, const float* dy, int64_t rows, int64_t M, float* dx, int64_t lddx) {
    Lanes::Float sums[MR][4];
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) sums[m][v] = Lanes::zero();
    for (int64_t n = 0; n < rows; ++n, tile += kGroup, dy += M) {
        Lanes::Float gradient[MR];
#pragma GCC unroll 8
        for (int m = 0; m < MR; ++m) gradient[m] = Lanes::broadcast_to_register(dy + m);
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) {
            const Lanes::Float weight = Lanes::load_to_register(tile + v * kLanes);
#pragma GCC unroll 8
            for (int m = 0; m < MR; ++m) sums[m][v] = Lanes::fma(weight, gradient[m], sums[m][v]);
        }
    }
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) {
            float* const out = dx + m * lddx + v * kLanes;
            Lanes::store(out, Lanes::add(Lanes::load(out), sums[m][v]));
        }
}

// The same for `count` rows m, MR at a time, then one by one fewer.
template <int MR>
inline void add_products(const float* tile, const float* dy, int64_t rows, int64_t M, float* dx, int64_t lddx, int64_t count) {
    for (; count >= MR; count -= MR, dy += MR, dx += MR * lddx) add_product<MR>(tile, dy, rows, M, dx, lddx);
    if constexpr (MR > 1) add_products<MR - 1>(tile, dy, rows, M, dx, lddx, count);
}

template <int MR>
inline void transposed_panel(const TransposedPart4Bit& part) {
    constexpr int64_t kRows = 64, kStrip = 1024;
    const Weight4Bit& w = *part.weight;
    const Lanes::Table table = Lanes::table(w.table);
    alignas(64) float tile[kRows * kGroup];
    StatisticsBuffer<kStrip> buffers[kRows];
    const float* values[kRows];
    for (int64_t n = 0; n < w.N; n += kRows) {
        const int64_t rows = min_of(w.N - n, kRows);
        const float* const dy = part.dy + n * part.M;
        for (int64_t strip = part.first; strip < part.last; strip += kStrip) {
            const int64_t count = min_of(part.last - strip, kStrip);
            for (int64_t r = 0; r < rows; ++r) values[r] = statistics(w, (n + r) * w.K + strip, count, buffers[r]);
            for (int64_t done = 0; done < count; done += kGroup) {
                for (int64_t r = 0; r < rows; ++r) {
                    const int64_t first = (n + r) * w.K + strip;
                    prefetch(w.packed, (first + done) / 2 + kGroup / 2);
                    dequantize_part(w, table, values[r], first, done, count, tile + r * kGroup, kLanes);
                }
                float* const dx = part.dx + strip + done;
                add_products<MR>(tile, dy, rows, part.M, dx, part.lddx, part.M);
                add_products<MR>(tile + 4 * kLanes, dy, rows, part.M, dx + 4 * kLanes, part.lddx, part.M);
            }
        }
    }
}

}  // namespace
}  // namespace halfbyte::cpu
