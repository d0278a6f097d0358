// One row of x (a decode step), and a few rows of x: the weights' bytes are read once and decoded in registers.
//
// A vector of codes serves a group of 8 * kLanes elements: for each of its 8 elements per lane, one lookup gives the exact table
// values. R rows of the weight share each load of x. Bytes per weight: 1/2 + 4/blocksize.
//
// one_row:  sum[n] = sum over blocks b of absmax(b) * (sum over k in b of x[k] * table[code(n, k)])
//   Limit aimed at: the memory's bandwidth. Statistics join once per group. R whole rows at a time: they are contiguous, and while
//   they are computed the lines of the next R are prefetched, so that the memory sees one steady stream; x stays in the
//   second-level cache. A block's sum is formed before its statistic is applied, so it can overflow or underflow where the
//   dequantized product would not. The sum then comes out infinite, NaN or tiny; the caller looks for that and asks the panel
//   kernel.
//
// few_rows: sum[n, m] = sum over k of x[m, k] * (table[code(n, k)] * absmax(block of (n, k))), M = 2 to 4
//   Limit aimed at: the rate of multiply-adds. Chunks of K are the outer loop, so that a chunk of x stays in the first-level cache;
//   lookups and their shifts use other ports than the multiply-adds.
#pragma once

#include "matmul_4bit.h"
#include "matmul_4bit_decode.h"

namespace halfbyte::cpu {
namespace {

inline bool rows_are_whole_blocks(const Weight4Bit& w) { return (w.K & ((int64_t{1} << w.block_shift) - 1)) == 0; }

// The statistics of R rows' chunk of kElements, one per lane of a group. If K is a multiple of the block size, a row begins a block
// and the lanes' pattern is the same everywhere: the vector is made where it is used.
template <int R, int64_t kElements>
class AlignedScales {
   public:
    explicit AlignedScales(const Weight4Bit& w) : w_(w), index_(Lanes::block_index(0, w.block_shift)) {}
    void load(int r, int64_t first, int64_t count) { values_[r] = statistics(w_, first, count, buffers_[r]); }
    Lanes::Float at(int r, int64_t element) const { return Lanes::spread(values_[r] + (element >> w_.block_shift), index_); }

   private:
    const Weight4Bit& w_;
    Lanes::Index index_;
    const float* values_[R];
    StatisticsBuffer<kElements> buffers_[R];
};

// If blocks straddle rows, every row has its own pattern: the vectors are made beforehand.
template <int R, int64_t kElements>
class StraddlingScales {
   public:
    explicit StraddlingScales(const Weight4Bit& w) : w_(w) {}
    void load(int r, int64_t first, int64_t count) {
        StatisticsBuffer<kElements> buffer;
        const float* values = statistics(w_, first, count, buffer);
        const int64_t mask = (int64_t{1} << w_.block_shift) - 1;
        int64_t position = first & mask;
        for (int64_t done = 0; done < count; done += kGroup, position += kGroup) {
            const Lanes::Index index = Lanes::block_index(static_cast<int>(position & mask), w_.block_shift);
            Lanes::store(scales_[r] + done / 8, Lanes::spread(values + (position >> w_.block_shift), index));
        }
    }
    Lanes::Float at(int r, int64_t element) const { return Lanes::load(scales_[r] + element / 8); }

   private:
    const Weight4Bit& w_;
    alignas(64) float scales_[R][kElements / 8];
};

// A group of which all elements count, and one of which the first `valid` do.
struct WholeGroup {
    [[gnu::always_inline]] Lanes::Codes load(const uint8_t* p) const { return Lanes::load_codes(p); }
    [[gnu::always_inline]] Lanes::Float keep(Lanes::Float v, int) const { return v; }
};
struct PartOfGroup {
    int valid;
    [[gnu::always_inline]] Lanes::Codes load(const uint8_t* p) const { return Lanes::load_codes(p, valid / 2); }
    [[gnu::always_inline]] Lanes::Float keep(Lanes::Float v, int e) const { return Lanes::keep(v, e, valid); }
};

// f(done, group) for each group of `count` elements.
template <class F>
[[gnu::always_inline]] inline void for_each_group(int64_t count, const F& f) {
    int64_t done = 0;
    for (; done + kGroup <= count; done += kGroup) f(done, WholeGroup{});
    if (done < count) f(done, PartOfGroup{static_cast<int>(count - done)});
}

// Where R rows' bytes are from column k on, their statistics loaded. Rows from `last` on repeat row last - 1.
template <int R>
struct Rows {
    const uint8_t* bytes[R];

    template <class Scales>
    [[gnu::always_inline]] Rows(const Weight4Bit& w, Scales& scales, int64_t n, int64_t last, int64_t k, int64_t count) {
#pragma GCC unroll 1
        for (int r = 0; r < R; ++r) {
            const int64_t first = min_of(n + r, last - 1) * w.K + k;
            bytes[r] = w.packed + first / 2;
            scales.load(r, first, count);
        }
    }
};

template <int R, template <int, int64_t> class Scales>
inline void one_row(const Part4Bit& part) {
    constexpr int64_t kElements = 4 * kChunk;
    const Weight4Bit& w = *part.weight;
    const Lanes::Table table = Lanes::table(w.table);
    Scales<R, kElements> scales(w);
    for (int64_t n = part.first; n < part.last; n += R) {
        Lanes::Float total[R];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) total[r] = Lanes::zero();
        for (int64_t k = 0; k < w.K; k += kElements) {
            const int64_t count = min_of(w.K - k, kElements);
            const Rows<R> rows(w, scales, n, part.last, k, count);
            for_each_group(
                count, [&](int64_t done, const auto& group) __attribute__((always_inline)) {
                    const int64_t ahead = (n + R) * w.K + (k + done) * R;
#pragma GCC unroll 8
                    for (int r = 0; r < R * kGroup / 128; ++r) prefetch(w.packed, ahead / 2 + r * 64);
                    if (w.absmax != nullptr) prefetch(w.absmax, (ahead >> w.block_shift) * 4);
                    else prefetch(w.absmax_codes, ahead >> w.block_shift);
                    Lanes::Codes codes[R];
                    Lanes::Float partial[R];
#pragma GCC unroll 8
                    for (int r = 0; r < R; ++r) codes[r] = group.load(rows.bytes[r] + done / 2);
                    for_each_element([&](auto element) __attribute__((always_inline)) {
                        constexpr int e = decltype(element)::value;
                        const Lanes::Float x = Lanes::load(part.x + k + done + e * kLanes);
#pragma GCC unroll 8
                        for (int r = 0; r < R; ++r) {
                            const Lanes::Float weight = Lanes::lookup<e>(codes[r], table);
                            partial[r] = e == 0 ? Lanes::mul(weight, x) : Lanes::fma(weight, x, partial[r]);
                        }
                    });
#pragma GCC unroll 8
                    for (int r = 0; r < R; ++r) total[r] = Lanes::fma(partial[r], scales.at(r, done), total[r]);
                });
        }
        for (int r = 0; r < R && n + r < part.last; ++r) part.sums[n + r - part.first] = Lanes::sum(total[r]);
    }
}

template <int M, int R, template <int, int64_t> class Scales>
inline void few_rows(const Part4Bit& part) {
    static_assert(M <= kSetRows);  // so that the chunks of x are contiguous and may be joined
    constexpr int64_t kElements = (M == 2 ? 4 : 2) * kChunk;
    const Weight4Bit& w = *part.weight;
    const Lanes::Table table = Lanes::table(w.table);
    Scales<R, kElements> scales(w);
    for (int64_t i = 0; i < (part.last - part.first) * M; ++i) part.sums[i] = 0.0f;
    for (int64_t k = 0; k < w.K; k += kElements) {
        const int64_t count = min_of(w.K - k, kElements);
        for (int64_t n = part.first; n < part.last; n += R) {
            const Rows<R> rows(w, scales, n, part.last, k, count);
            for (int r = 0; r < R; ++r) prefetch_statistics(w, (n + R + r) * w.K + k, count);
            Lanes::Float total[R][M];
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
                for (int m = 0; m < M; ++m) total[r][m] = Lanes::zero();
            for_each_group(
                count, [&](int64_t done, const auto& group) __attribute__((always_inline)) {
                    Lanes::Codes codes[R];
                    Lanes::Float absmax[R];
#pragma GCC unroll 8
                    for (int r = 0; r < R; ++r) {
                        prefetch(w.packed, ((n + R + r) * w.K + k + done) / 2);
                        codes[r] = group.load(rows.bytes[r] + done / 2);
                        absmax[r] = scales.at(r, done);
                    }
                    for_each_element([&](auto element) __attribute__((always_inline)) {
                        constexpr int e = decltype(element)::value;
                        Lanes::Float x[M];
#pragma GCC unroll 4
                        for (int m = 0; m < M; ++m)
                            x[m] = Lanes::load_to_register(part.x + (k + done + e * kLanes) * M + m * kLanes);
#pragma GCC unroll 8
                        for (int r = 0; r < R; ++r) {
                            const Lanes::Float weight = group.keep(Lanes::mul(Lanes::lookup<e>(codes[r], table), absmax[r]), e);
#pragma GCC unroll 4
                            for (int m = 0; m < M; ++m) total[r][m] = Lanes::fma(weight, x[m], total[r][m]);
                        }
                    });
                });
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
                if (n + r >= part.last) break;
                add_sums(total[r], part.sums + (n + r - part.first) * M);
            }
        }
    }
}

}  // namespace
}  // namespace halfbyte::cpu
