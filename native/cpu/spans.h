// The order in which the vector kernels walk through a tensor that they quantize.
//
// In an anonymous namespace: every path compiles its own copy with its own instructions.
#pragma once

#include <cstdint>

namespace halfbyte::cpu {
namespace {

// Calls find_absmax(i) for every block, which starts at element i, and body(first) for every span, which is one or more whole
// blocks; a span comes after its blocks. The statistics run some spans ahead, and memory is asked for still earlier: the long chain
// of a maximum and a division then overlaps with the body of other spans, and reading never pauses.
template <int element_size, class FindAbsmax, class Body>
inline void for_each_span(const void* input, int64_t n, int64_t blocksize, int64_t span, const FindAbsmax& find_absmax,
                          const Body& body) {
    constexpr int64_t kAhead = 512;
    constexpr int64_t kPrefetch = 8192 / element_size;
    constexpr int64_t kLine = 64 / element_size;
    const int64_t ahead = span < kAhead ? kAhead : span;
    const auto find = [&](int64_t first) {
        if (first >= n) return;
        for (int64_t i = first; i < first + span; i += kLine) {  // an address past the end is harmless: a prefetch never faults
            const auto address = reinterpret_cast<uintptr_t>(input) + static_cast<uintptr_t>((i + kPrefetch) * element_size);
            __builtin_prefetch(reinterpret_cast<const void*>(address));
        }
        for (int64_t i = first; i < first + span; i += blocksize) find_absmax(i);
    };
    for (int64_t first = 0; first < ahead; first += span) find(first);
    for (int64_t first = 0; first < n; first += span) {
        find(first + ahead);
        body(first);
    }
}

}  // namespace
}  // namespace halfbyte::cpu
