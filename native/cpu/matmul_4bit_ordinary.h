// The kernels for few rows apply a block's statistic to a sum or a gradient instead of to the weight. That rounds no worse, but it
// can leave float32's range where the dequantized product would stay inside. Such results are recognized here and computed again.
#pragma once

#include <bit>
#include <cstdint>

namespace halfbyte::cpu {

// No sum is infinite, NaN, or so small that something below it may have been denormal.
inline bool is_ordinary(const float* sums, int64_t count) {
    constexpr uint32_t kLeast = std::bit_cast<uint32_t>(0x1p-60f), kInfinity = 0x7f800000u;
    bool ordinary = true;
    for (int64_t i = 0; i < count; ++i) ordinary &= (std::bit_cast<uint32_t>(sums[i]) & 0x7fffffffu) - kLeast < kInfinity - kLeast;
    return ordinary;
}

}  // namespace halfbyte::cpu
