// sums[n, m] = sum over blocks b of absmax(b) * (sum over k in b of x[m, k] * table[code(n, k)]),  M = 1 to 4
//
// The bytes of the weights are read once and decoded in registers. A vector of codes serves a group of 8 * kLanes elements: for
// each of its 8 elements per lane one lookup gives the exact table values and one fused multiply-add per row of x uses them; the
// statistics join once per group. R rows of the weight share each load of x. Bytes per weight: 1/2 + 4/blocksize. Limit aimed at:
// the memory's bandwidth (M = 1), then the rate of multiply-adds.
//
// M = 1 goes along whole rows: R rows are contiguous, and while they are computed the lines of the next R are prefetched, so
// that the memory sees one steady stream. x comes from the second-level cache. For M > 1 that cache would be the limit: there the
// chunks of K are the outer loop, and a chunk of x stays in the first-level cache.
//
// A block's sum is formed before its statistic is applied, so it can overflow or underflow where the dequantized product would
// not. The sum then comes out infinite, NaN or tiny; the caller looks for that and asks the panel kernel, which dequantizes first.
#pragma once

#include "matmul_4bit.h"
#include "matmul_4bit_decode.h"

namespace halfbyte::cpu {
namespace {

constexpr int64_t kScales = kChunk / 8;  // floats of one row's chunk: kLanes per group

// One statistic per lane for each group of `count` elements.
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

// total[r][m] += one group of R rows times M rows of x.
template <int M, int R, class LoadCodes>
[[gnu::always_inline]] inline void multiply_group(const LoadCodes& load_codes, Lanes::Table table, const float* x,
                                                  const float* scales, Lanes::Float (&total)[R][M]) {
    Lanes::Codes codes[R];
    Lanes::Float partial[R][M];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) codes[r] = load_codes(r);
    for_each_element([&](auto element) {
        constexpr int e = decltype(element)::value;
        Lanes::Float values[M];
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) values[m] = Lanes::load(x + (e * M + m) * kLanes);
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
        const Lanes::Float scale = Lanes::load(scales + r * kScales);
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) total[r][m] = Lanes::fma(partial[r][m], scale, total[r][m]);
    }
}

// total[r][m] += `count` elements from column k on of rows n to n + R - 1; rows from `last` on repeat row last - 1. In each group
// the lines that the caller's `ahead` names are prefetched.
template <int M, int R, class Ahead>
[[gnu::always_inline]] inline void multiply_chunk(const Weight4Bit& w, Lanes::Table table, int64_t n, int64_t last, int64_t k,
                                                  int64_t count, const float* x, const Ahead& ahead, Lanes::Float (&total)[R][M]) {
    alignas(64) float scales[R * kScales];
    const uint8_t* rows[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
        const int64_t first = min_of(n + r, last - 1) * w.K + k;
        rows[r] = w.packed + first / 2;
        spread_statistics(w, first, count, scales + r * kScales);
        const int64_t next_block = (first + R * w.K) >> w.block_shift;
        if (w.absmax != nullptr) prefetch(w.absmax, next_block * 4);
        else prefetch(w.absmax_codes, next_block);
    }
    int64_t done = 0;
    for (; done + kGroup <= count; done += kGroup) {
        ahead(done / 2);
        multiply_group<M, R>([&](int r) { return Lanes::load_codes(rows[r] + done / 2); }, table, x + done * M, scales + done / 8,
                             total);
    }
    if (done < count) {
        const int bytes = static_cast<int>(count - done) / 2;
        multiply_group<M, R>([&](int r) { return Lanes::load_codes(rows[r] + done / 2, bytes); }, table, x + done * M,
                             scales + done / 8, total);
    }
}

// M = 1: whole rows, R at a time.
template <int R>
inline void one_row(const Part4Bit& part) {
    const Weight4Bit& w = *part.weight;
    const Lanes::Table table = Lanes::table(w.table);
    for (int64_t n = part.first; n < part.last; n += R) {
        Lanes::Float total[R][1];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) total[r][0] = Lanes::zero();
        for (int64_t k = 0; k < w.K; k += kChunk) {
            const int64_t next = (n + R) * w.K / 2 + k / 2 * R;
            const auto ahead = [&](int64_t byte) {
#pragma GCC unroll 8
                for (int r = 0; r < R * kGroup / 128; ++r) prefetch(w.packed, next + byte * R + r * 64);
            };
            multiply_chunk<1, R>(w, table, n, part.last, k, min_of(w.K - k, kChunk), part.x + k, ahead, total);
        }
        for (int r = 0; r < R && n + r < part.last; ++r) part.sums[n + r - part.first] = Lanes::sum(total[r][0]);
    }
}

// M > 1: chunks of K, and in each chunk all rows, R at a time.
template <int M, int R>
inline void few_rows(const Part4Bit& part) {
    constexpr int64_t kAhead = 8;  // rows
    const Weight4Bit& w = *part.weight;
    const Lanes::Table table = Lanes::table(w.table);
    for (int64_t i = 0; i < (part.last - part.first) * M; ++i) part.sums[i] = 0.0f;
    for (int64_t k = 0; k < w.K; k += kChunk) {
        for (int64_t n = part.first; n < part.last; n += R) {
            Lanes::Float total[R][M];
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
                for (int m = 0; m < M; ++m) total[r][m] = Lanes::zero();
            const auto ahead = [&](int64_t byte) {
#pragma GCC unroll 8
                for (int r = 0; r < R; ++r) prefetch(w.packed, ((n + kAhead + r) * w.K + k) / 2 + byte);
            };
            multiply_chunk<M, R>(w, table, n, part.last, k, min_of(w.K - k, kChunk), part.x + k * M, ahead, total);
            for (int r = 0; r < R && n + r < part.last; ++r)
#pragma GCC unroll 4
                for (int m = 0; m < M; ++m) part.sums[(n + r - part.first) * M + m] += Lanes::sum(total[r][m]);
        }
    }
}

}  // namespace
}  // namespace halfbyte::cpu
