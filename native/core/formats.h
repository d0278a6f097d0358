// Sizes that follow from a format. All in elements unless the name says bytes.
#pragma once

#include <cstdint>

#include "halfbyte.h"

namespace halfbyte {

inline constexpr int64_t kNestedBlocksize = 256;

constexpr int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0); }

constexpr bool is_blocksize(int64_t blocksize) {
    return blocksize >= 32 && blocksize <= 4096 && (blocksize & (blocksize - 1)) == 0;
}

constexpr int64_t packed_bytes(int64_t n) { return ceil_div(n, 2); }

constexpr bool is_nested(const halfbyte_weight_4bit& weight) { return weight.nested_absmax != nullptr; }

// absmax of block b of a weight, plain or nested: see halfbyte_weight_4bit.
inline float absmax_of(const halfbyte_weight_4bit& weight, int64_t b) {
    if (!is_nested(weight)) return static_cast<const float*>(weight.absmax)[b];
    const float value = static_cast<const float*>(weight.nested_codebook)[static_cast<const uint8_t*>(weight.absmax)[b]] *
                        static_cast<const float*>(weight.nested_absmax)[b / weight.nested_blocksize];
    return value + static_cast<const float*>(weight.nested_offset)[0];
}

}  // namespace halfbyte
