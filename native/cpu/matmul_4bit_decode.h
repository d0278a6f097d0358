// Reading rows of a 4-bit weight into registers and tiles, for whichever Lanes the including file has chosen before.
#pragma once

#include "matmul_4bit_weight.h"

namespace halfbyte::cpu {
namespace {

constexpr int kGroup = Lanes::kGroup;
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

[[gnu::always_inline]] inline void prefetch(const void* base, int64_t offset) {  // may point outside: nothing is read
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(base) + static_cast<uintptr_t>(offset)));
}

// Statistics of `elements` elements from flat element `first` on, as float32: where they are, or decoded into `buffer`. Reading
// kStatisticsRead past the last one is allowed.
template <int64_t kElements>
struct StatisticsBuffer {
    alignas(64) float values[kElements / 32 + 1 + kLanes + kStatisticsRead];
};

template <int64_t kElements>
inline const float* statistics(const Weight4Bit& w, int64_t first, int64_t elements, StatisticsBuffer<kElements>& buffer) {
    const int64_t begin = first >> w.block_shift;
    const int64_t end = elements == 0 ? begin : ((first + elements - 1) >> w.block_shift) + 1;
    if (w.absmax != nullptr) {
        if (end + kStatisticsRead <= w.blocks) return w.absmax + begin;
        for (int64_t b = begin; b < end; ++b) buffer.values[b - begin] = w.absmax[b];
    } else {
        for (int64_t b = begin; b < end;) {
            const int64_t nested = b / kNestedBlocksize;
            const int64_t count = min_of(min_of(end, (nested + 1) * kNestedBlocksize) - b, kLanes);
            Lanes::decode_statistics(w.nested_codebook, w.absmax_codes + b, static_cast<int>(count), w.nested_absmax[nested],
                                     w.nested_offset, buffer.values + (b - begin));
            b += count;
        }
    }
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

// One group, dequantized: out[e * kLanes + i] = table[code] * absmax of element first + 8i + e, 0 from `count` on. `statistics`
// points at the statistic of element `first`. A block may begin inside a lane, but then it does so at the same element of every
// lane: elements before it use one vector of statistics, elements from it on another.
inline void dequantize_group(const Weight4Bit& w, Lanes::Table table, const float* statistics, int64_t first, int64_t count,
                             float* out) {
    const Lanes::Codes codes = load_group(w, first, count);
    const int position = static_cast<int>(first & ((int64_t{1} << w.block_shift) - 1));
    const int boundary = 8 - position % 8;
    const Lanes::Float before = Lanes::spread(statistics, Lanes::block_index(position, w.block_shift));
    const Lanes::Float after = Lanes::spread(statistics, Lanes::block_index(position + 7, w.block_shift));
    for_each_element([&](auto element) {
        constexpr int e = decltype(element)::value;
        Lanes::Float value = Lanes::mul(Lanes::lookup<e>(codes, table), e < boundary ? before : after);
        if (count < kGroup) value = Lanes::keep(value, e, static_cast<int>(count));
        Lanes::store(out + e * kLanes, value);
    });
}

// `count` elements from flat element `first` on, dequantized group by group.
template <int64_t kElements>
inline void dequantize(const Weight4Bit& w, Lanes::Table table, int64_t first, int64_t count, float* out) {
    StatisticsBuffer<kElements> buffer;
    const float* values = statistics(w, first, count, buffer);
    const int64_t first_block = first >> w.block_shift;
    for (int64_t done = 0; done < count; done += kGroup)
        dequantize_group(w, table, values + (((first + done) >> w.block_shift) - first_block), first + done, count - done,
                         out + done);
}

}  // namespace
}  // namespace halfbyte::cpu
