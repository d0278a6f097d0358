// Some kernels apply a block's statistic to a sum or to a gradient instead of to the weight. That rounds no worse, but it can leave
// float32's range where the dequantized product would stay inside. This says when that cannot have happened; otherwise the product
// is computed by a kernel that dequantizes first.
#pragma once

#include <bit>
#include <cstdint>

namespace halfbyte::cpu {

// The bits of the magnitude of `value` lie in [least, end).
inline bool is_between(float value, float least, float end) {
    const uint32_t low = std::bit_cast<uint32_t>(least), high = std::bit_cast<uint32_t>(end);
    return (std::bit_cast<uint32_t>(value) & 0x7fffffffu) - low < high - low;
}

// No sum is infinite, NaN, or so small that something on its way may have been denormal.
inline bool is_ordinary(const float* sums, int64_t count) {
    bool ordinary = true;
    for (int64_t i = 0; i < count; ++i) ordinary &= is_between(sums[i], 0x1p-60f, std::bit_cast<float>(0x7f800000u));
    return ordinary;
}

// All 16 values are finite, and the largest is near 1, as in every table that is scaled by absmax.
inline bool is_ordinary_table(const float* table) {
    bool none_larger = true, one_near = false;
    for (int i = 0; i < 16; ++i) {
        none_larger &= is_between(table[i], 0.0f, 0x1p20f);
        one_near |= is_between(table[i], 0x1p-20f, 0x1p20f);
    }
    return none_larger && one_near;
}

}  // namespace halfbyte::cpu
