// Reading rows of a 4-bit weight into registers and tiles, for whichever Lanes the including file has chosen before.
#pragma once

#include "matmul_4bit_weight.h"

namespace halfbyte::cpu {
namespace {

constexpr int kGroup = Lanes::kGroup;  // elements that one vector of codes holds
constexpr int kLanes = Lanes::kLanes;
constexpr int kStatisticsRead = 8;  // Lanes::spread loads this many

template <int e>
struct Element {
    static constexpr int value = e;
};

// f(Element<0>), ..., f(Element<7>): the eight codes of a lane, as constants.
template <class F>
[[gnu::always_inline]] inline void for_each_element(const F& f) {
    f(Element<0>{}), f(Element<1>{}), f(Element<2>{}), f(Element<3>{}), f(Element<4>{}), f(Element<5>{}), f(Element<6>{}),
        f(Element<7>{});
}

constexpr int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t whole_groups(int64_t elements) { return (elements + kGroup - 1) / kGroup * kGroup; }

// out[m] += the sum of v[m].
template <int M>
[[gnu::always_inline]] inline void add_sums(const Lanes::Float (&v)[M], float* out) {
#pragma GCC unroll 2
    for (int m = 0; m < M; m += 4) {
        const int last = M - m < 4 ? M - m - 1 : 3;
        alignas(16) float four[4];
        _mm_store_ps(four, Lanes::sums(v[m], v[m + (last < 1 ? last : 1)], v[m + (last < 2 ? last : 2)], v[m + last]));
#pragma GCC unroll 4
        for (int i = 0; i <= last; ++i) out[m + i] += four[i];
    }
}

// May point outside of the data: nothing is read.
[[gnu::always_inline]] inline void prefetch(const void* base, int64_t offset) {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(base) + static_cast<uintptr_t>(offset)));
}

// Walks over the packed lines of columns [first, last) of rows n, n + 1, ... and asks for one line per call of next().
class LineWalk {
   public:
    LineWalk(const Weight4Bit& w, int64_t n, int64_t first, int64_t last)
        : base_(w.packed), row_(w.K / 2), line_((n * w.K + first) / 2), begin_(line_), end_(line_ + (last - first) / 2) {}
    [[gnu::always_inline]] void next() {
        prefetch(base_, line_);
        line_ += 64;
        if (line_ >= end_) begin_ += row_, end_ += row_, line_ = begin_;
    }

   private:
    const uint8_t* base_;
    int64_t row_, line_, begin_, end_;
};

// Asks for the statistics of `elements` elements from flat element `first` on.
[[gnu::always_inline]] inline void prefetch_statistics(const Weight4Bit& w, int64_t first, int64_t elements) {
    const int64_t size = w.absmax != nullptr ? 4 : 1;
    const void* base = w.absmax != nullptr ? static_cast<const void*>(w.absmax) : w.absmax_codes;
    const int64_t begin = (first >> w.block_shift) * size, end = ((first + elements) >> w.block_shift) * size;
    for (int64_t byte = begin; byte <= end; byte += 64) prefetch(base, byte);
}

template <int64_t kElements>
struct StatisticsBuffer {
    alignas(64) float values[kElements / 32 + 1 + kStatisticsRead];
};

// Statistics of the blocks of `elements` elements from flat element `first` on: in place, or copied into `buffer`. It is allowed to
// read kStatisticsRead beyond the last.
template <int64_t kElements>
inline const float* statistics(const Weight4Bit& w, int64_t first, int64_t elements, StatisticsBuffer<kElements>& buffer) {
    const int64_t begin = first >> w.block_shift;
    const int64_t end = ((first + elements - 1) >> w.block_shift) + 1;
    if (w.absmax != nullptr && end + kStatisticsRead <= w.blocks) return w.absmax + begin;
    if (w.absmax == nullptr) w.decode_statistics(w, begin, end, buffer.values);
    else
        for (int64_t b = begin; b < end; ++b) buffer.values[b - begin] = w.absmax[b];
    for (int i = 0; i < kStatisticsRead; ++i) buffer.values[end - begin + i] = 0.0f;
    return buffer.values;
}

// Codes of the `count` elements from flat element `first` on; the rest of the group is zeros.
inline Lanes::Codes load_group(const Weight4Bit& w, int64_t first, int64_t count) {
    const uint8_t* p = w.packed + first / 2;
    const bool odd = first % 2 != 0;
    if (count >= kGroup) return odd ? Lanes::join(Lanes::load_codes(p), Lanes::load_codes(p + 1)) : Lanes::load_codes(p);
    const int bytes = static_cast<int>((first % 2 + count + 1) / 2);
    const Lanes::Codes codes = Lanes::load_codes(p, bytes);
    return odd ? Lanes::join(codes, Lanes::load_codes(p + 1, bytes - 1)) : codes;
}

// One group, dequantized: out[e * stride + i] = table[code] * absmax of element first + 8i + e, 0 from `count` on. `statistics`
// points at the statistic of element `first`, which is element `position` of its block. A block may begin inside a lane, but then
// it does so at the same element of every lane: elements before it use one vector of statistics, elements from it on another.
inline void dequantize_group(const Weight4Bit& w, Lanes::Table table, const float* statistics, int64_t first, int position,
                             int64_t count, float* out, int64_t stride) {
    const Lanes::Codes codes = load_group(w, first, count);
    const int boundary = 8 - position % 8;
    const Lanes::Float before = Lanes::spread(statistics, Lanes::block_index(position, w.block_shift));
    const Lanes::Float after = Lanes::spread(statistics, Lanes::block_index(position + 7, w.block_shift));
    for_each_element([&](auto element) {
        constexpr int e = decltype(element)::value;
        Lanes::Float value = Lanes::mul(Lanes::lookup<e>(codes, table), e < boundary ? before : after);
        if (count < kGroup) value = Lanes::keep(value, e, static_cast<int>(count));
        Lanes::store(out + e * stride, value);
    });
}

// The same for a whole group that begins at a multiple of 8 elements.
inline void dequantize_aligned_group(const Weight4Bit& w, Lanes::Table table, const float* statistics, int64_t first, int position,
                                     float* out, int64_t stride) {
    const Lanes::Codes codes = Lanes::load_codes(w.packed + first / 2);
    const Lanes::Float scale = Lanes::spread(statistics, Lanes::block_index(position, w.block_shift));
    for_each_element([&](auto element) {
        constexpr int e = decltype(element)::value;
        Lanes::store(out + e * stride, Lanes::mul(Lanes::lookup<e>(codes, table), scale));
    });
}

// The group `done` elements into a run of `count` from flat element `first` on, whose statistics begin at `statistics`.
inline void dequantize_part(const Weight4Bit& w, Lanes::Table table, const float* statistics, int64_t first, int64_t done,
                            int64_t count, float* out, int64_t stride) {
    const int64_t mask = (int64_t{1} << w.block_shift) - 1;
    const int64_t offset = (first & mask) + done;
    const float* const values = statistics + (offset >> w.block_shift);
    const int position = static_cast<int>(offset & mask);
    if (first % 8 == 0 && count - done >= kGroup) dequantize_aligned_group(w, table, values, first + done, position, out, stride);
    else dequantize_group(w, table, values, first + done, position, count - done, out, stride);
}

}  // namespace
}  // namespace halfbyte::cpu
