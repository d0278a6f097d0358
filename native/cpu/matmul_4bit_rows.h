// sums[n, m] = sum over blocks b of absmax(b) * (sum over k in b of x[m, k] * table[code(n, k)]),  M = 1 to 4
//
// Decoding: the bytes of the weights are read once and stay in registers. A vector of codes serves a group of 8 * kLanes elements:
// for each of its 8 elements per lane one lookup gives the exact table values and one fused multiply-add per row of x uses them;
// the statistics join once per group. R rows of the weight share each load of x, which comes from the second-level cache.
// Bytes per weight: 1/2 + 4/blocksize. Limit aimed at: the memory's bandwidth. To get it, the lines of the next R rows are
// prefetched while these are computed: R rows are contiguous, so that is one steady stream.
//
// The block's sum is formed before its statistic is applied, so it can overflow or underflow where the dequantized product would
// not. Such a sum comes out infinite, NaN or tiny; the caller then asks the panel kernel, which dequantizes first.
#pragma once

#include "matmul_4bit.h"
#include "matmul_4bit_decode.h"

namespace halfbyte::cpu {
namespace {

// One statistic per lane for each group of a row's chunk.
inline void spread_statistics(const Weight4Bit& w, int64_t first, int64_t count, float* out) {
    StatisticsBuffer<kChunk> buffer;
    const float* values = statistics(w, first, count, buffer);
    const int64_t blocksize = int64_t{1} << w.block_shift;
    int64_t position = first & (blocksize - 1);
    if (blocksize <= kGroup) {
        const Lanes::Index index = Lanes::block_index(static_cast<int>(position), w.block_shift);
        for (int64_t done = 0; done < count; done += kGroup, values += kGroup >> w.block_shift, out += kLanes)
            Lanes::store(out, Lanes::spread(values, index));
        return;
    }
    for (int64_t done = 0; done < count; done += kGroup, position += kGroup, out += kLanes) {
        const Lanes::Index index = Lanes::block_index(static_cast<int>(position & (blocksize - 1)), w.block_shift);
        Lanes::store(out, Lanes::spread(values + (position >> w.block_shift), index));
    }
}

template <int M, int R>
struct RowsTile {
    const Weight4Bit& w;
    const uint8_t* rows[R];
    Lanes::Table table;
    Lanes::Float total[R][M];

    // One group: `x` is its arranged activations (stride between rows of x: ldx), `scales` its statistics (stride: one chunk's).
    template <bool kWhole>
    [[gnu::always_inline]] inline void group(int64_t offset, int bytes, const float* x, int64_t ldx, const float* scales) {
        Lanes::Codes codes[R];
        Lanes::Float partial[R][M];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
            codes[r] = kWhole ? Lanes::load_codes(rows[r] + offset) : Lanes::load_codes(rows[r] + offset, bytes);
        for_each_element([&](auto element) {
            constexpr int e = decltype(element)::value;
            Lanes::Float values[M];
#pragma GCC unroll 4
            for (int m = 0; m < M; ++m) values[m] = Lanes::load(x + m * ldx + e * kLanes);
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
                const Lanes::Float weight = Lanes::lookup<e>(codes[r], table);
#pragma GCC unroll 4
                for (int m = 0; m < M; ++m)
                    partial[r][m] = e == 0 ? Lanes::mul(weight, values[m]) : Lanes::fma(weight, values[m], partial[r][m]);
            }
        });
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const Lanes::Float scale = Lanes::load(scales + r * (kChunk / 8));
#pragma GCC unroll 4
            for (int m = 0; m < M; ++m) total[r][m] = Lanes::fma(partial[r][m], scale, total[r][m]);
        }
    }
};

// Rows n to n + R - 1; those from `last` on repeat row last - 1 and are not stored.
template <int M, int R>
inline void rows_tile(const Part4Bit& part, int64_t n) {
    const Weight4Bit& w = *part.weight;
    RowsTile<M, R> tile{w, {}, Lanes::table(w.table), {}};
    int64_t first[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
        first[r] = min_of(n + r, part.last - 1) * w.K;
        tile.rows[r] = w.packed + first[r] / 2;
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) tile.total[r][m] = Lanes::zero();
    }
    const int64_t ahead = R * w.K / 2;
    alignas(64) float scales[R][kChunk / 8];
    const float* x = part.x;
    for (int64_t k = 0; k < w.K; k += kChunk) {
        const int64_t count = min_of(w.K - k, kChunk);
        const int64_t ldx = (count + kGroup - 1) / kGroup * kGroup;
        for (int r = 0; r < R; ++r) {
            spread_statistics(w, first[r] + k, count, scales[r]);
            if (w.absmax != nullptr) prefetch(w.absmax, ((first[r] + R * w.K + k) >> w.block_shift) * 4);
            else prefetch(w.absmax_codes, (first[r] + R * w.K + k) >> w.block_shift);
        }
        int64_t done = 0;
        for (; done + kGroup <= count; done += kGroup) {
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) prefetch(tile.rows[0], ahead + (k + done) / 2 * R + r * (kGroup / 2));
            tile.template group<true>((k + done) / 2, 0, x + done, ldx, scales[0] + done / 8);
        }
        if (done < count)
            tile.template group<false>((k + done) / 2, static_cast<int>((count - done) / 2), x + done, ldx, scales[0] + done / 8);
        x += ldx * M;
    }
    for (int r = 0; r < R && n + r < part.last; ++r)
        for (int m = 0; m < M; ++m) part.sums[(n + r - part.first) * M + m] = Lanes::sum(tile.total[r][m]);
}

template <int M, int R>
inline void rows(const Part4Bit& part) {
    for (int64_t n = part.first; n < part.last; n += R) rows_tile<M, R>(part, n);
}

}  // namespace
}  // namespace halfbyte::cpu
