// __syncthreads and what the lanes of a warp do together. Each call notes its place in the source, for reports and because
// barriers at different places are different barriers.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "../../runtime/instructions.h"

namespace halfbyte::emulation {

// Any value of up to 8 bytes, as 64 bits and back: shuffles of every type are one.
template <class T>
uint64_t to_bits(const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
}
template <class T>
T from_bits(uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

}  // namespace halfbyte::emulation

#define HALFBYTE_HERE halfbyte::emulation::Site where = halfbyte::emulation::Site::current()

inline void __syncthreads(HALFBYTE_HERE) { halfbyte::emulation::sync_threads(0, where); }
inline int __syncthreads_count(int predicate, HALFBYTE_HERE) { return halfbyte::emulation::sync_threads(predicate != 0, where); }
inline int __syncthreads_or(int predicate, HALFBYTE_HERE) { return halfbyte::emulation::sync_threads(predicate != 0, where) != 0; }
inline int __syncthreads_and(int predicate, HALFBYTE_HERE) { return halfbyte::emulation::sync_threads(predicate == 0, where) == 0; }
inline void __syncwarp(unsigned mask = 0xffffffffu, HALFBYTE_HERE) { halfbyte::emulation::sync_warp(mask, where); }

inline unsigned __ballot_sync(unsigned mask, int predicate, HALFBYTE_HERE) {
    return halfbyte::emulation::ballot(mask, predicate != 0, where);
}
inline int __any_sync(unsigned mask, int predicate, HALFBYTE_HERE) {
    return halfbyte::emulation::ballot(mask, predicate != 0, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, HALFBYTE_HERE) {
    return halfbyte::emulation::ballot(mask, predicate == 0, where) == 0;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value, HALFBYTE_HERE) {
    return halfbyte::emulation::match_any(mask, halfbyte::emulation::to_bits(value), where);
}

#define HALFBYTE_SHUFFLE(function, kind, operand_type)                                                                           \
    template <class T>                                                                                                           \
    T function(unsigned mask, T value, operand_type operand, int width = 32, HALFBYTE_HERE) {                                    \
        namespace emulation = halfbyte::emulation;                                                                               \
        return emulation::from_bits<T>(emulation::shuffle(emulation::Shuffle::kind, mask, emulation::to_bits(value),             \
                                                          static_cast<unsigned>(operand), static_cast<unsigned>(width), where)); \
    }
HALFBYTE_SHUFFLE(__shfl_sync, kIndex, int)
HALFBYTE_SHUFFLE(__shfl_up_sync, kUp, unsigned)
HALFBYTE_SHUFFLE(__shfl_down_sync, kDown, unsigned)
HALFBYTE_SHUFFLE(__shfl_xor_sync, kXor, int)
#undef HALFBYTE_SHUFFLE

#define HALFBYTE_REDUCE(function, kind)                                                                              \
    template <class T>                                                                                               \
    T function(unsigned mask, T value, HALFBYTE_HERE) {                                                              \
        namespace emulation = halfbyte::emulation;                                                                   \
        emulation::require(80, where);                                                                               \
        return static_cast<T>(emulation::reduce(emulation::Reduce::kind, mask, static_cast<int64_t>(value), where)); \
    }
HALFBYTE_REDUCE(__reduce_add_sync, kAdd)
HALFBYTE_REDUCE(__reduce_min_sync, kMin)
HALFBYTE_REDUCE(__reduce_max_sync, kMax)
HALFBYTE_REDUCE(__reduce_and_sync, kAnd)
HALFBYTE_REDUCE(__reduce_or_sync, kOr)
HALFBYTE_REDUCE(__reduce_xor_sync, kXor)
#undef HALFBYTE_REDUCE
