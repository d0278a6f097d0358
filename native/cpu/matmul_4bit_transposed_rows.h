// dx[m, k] += sum over n of (dy[n, m] * absmax(block of (n, k))) * table[code(n, k)],  M = 1 to 3
//
// The bytes of the weights are read once and decoded in registers. R rows of the weight at a time meet one group of columns, whose
// 8 * M vectors of dx stay in registers meanwhile: per row and group 8 lookups, 8 * M fused multiply-adds and M products of
// gradient and statistic. Bytes per weight: 1/2 + 4/blocksize. Limit aimed at: the memory's bandwidth (M = 1), then the rate of
// multiply-adds. While R rows are computed the lines of the next R are prefetched, row after row, so that the memory sees steady
// streams.
//
// The product of gradient and statistic can overflow or underflow where the dequantized product would not. The sum then comes out
// infinite, NaN or tiny; the caller looks for that and asks the panel kernel, which dequantizes first.
#pragma once

#include "matmul_4bit_decode.h"
#include "matmul_4bit_transposed.h"

namespace halfbyte::cpu {
namespace {

template <int M>
inline void transposed_few_rows(const TransposedPart4Bit& part) {
    constexpr int64_t kRows = 16, kStrip = 2048;
    const Weight4Bit& w = *part.weight;
    const Lanes::Table table = Lanes::table(w.table);
    const int64_t mask = (int64_t{1} << w.block_shift) - 1;
    const uint8_t* bytes[kRows];
    const float* values[kRows];
    int64_t offsets[kRows];  // of the strip in its row's first block
    StatisticsBuffer<kStrip> buffers[kRows];
    for (int64_t n = 0; n < w.N; n += kRows) {
        const int64_t rows = min_of(w.N - n, kRows);
        LineWalk ahead(w, n + kRows, part.first, part.last);
        for (int64_t strip = part.first; strip < part.last; strip += kStrip) {
            const int64_t count = min_of(part.last - strip, kStrip);
            for (int64_t r = 0; r < rows; ++r) {
                const int64_t first = (n + r) * w.K + strip;
                bytes[r] = w.packed + first / 2;
                offsets[r] = first & mask;
                values[r] = statistics(w, first, count, buffers[r]);
                prefetch_statistics(w, first + kRows * w.K, count);
            }
            for (int64_t done = 0; done < count; done += kGroup) {
                const int valid = static_cast<int>(min_of(count - done, kGroup));
                Lanes::Float sums[M][8];
#pragma GCC unroll 4
                for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
                    for (int e = 0; e < 8; ++e) sums[m][e] = Lanes::zero();
                int64_t position = -1;
                Lanes::Index index{};
                for (int64_t r = 0; r < rows; ++r) {
                    ahead.next();
                    const int64_t offset = offsets[r] + done;
                    if (position != (offset & mask)) {  // the same for all rows unless blocks straddle them
                        position = offset & mask;
                        index = Lanes::block_index(static_cast<int>(position), w.block_shift);
                    }
                    const uint8_t* const p = bytes[r] + done / 2;
                    const Lanes::Codes codes = valid == kGroup ? Lanes::load_codes(p) : Lanes::load_codes(p, valid / 2);
                    const Lanes::Float absmax = Lanes::spread(values[r] + (offset >> w.block_shift), index);
                    Lanes::Float gradient[M];
#pragma GCC unroll 4
                    for (int m = 0; m < M; ++m) gradient[m] = Lanes::mul(absmax, Lanes::broadcast(part.dy + (n + r) * M + m));
                    for_each_element([&](auto element) __attribute__((always_inline)) {
                        constexpr int e = decltype(element)::value;
                        const Lanes::Float weight = Lanes::lookup<e>(codes, table);
#pragma GCC unroll 4
                        for (int m = 0; m < M; ++m) sums[m][e] = Lanes::fma(weight, gradient[m], sums[m][e]);
                    });
                }
#pragma GCC unroll 4
                for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
                    for (int e = 0; e < 8; ++e) {
                        float* const out = part.dx + m * part.lddx + strip + done + e * kLanes;
                        Lanes::store(out, Lanes::add(Lanes::load(out), sums[m][e]));
                    }
            }
        }
    }
}

inline void transposed_few_rows(const TransposedPart4Bit& part) {
    if (part.M == 1) transposed_few_rows<1>(part);
    if (part.M == 2) transposed_few_rows<2>(part);
    if (part.M == 3) transposed_few_rows<3>(part);
}

}  // namespace
}  // namespace halfbyte::cpu
