// Inputs of the quantizers: random values of any element type, among them the ones that need care.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "core/float16.h"
#include "core/operations.h"
#include "tests/harness.h"

namespace test {

inline constexpr halfbyte::DType kTypes[] = {halfbyte::DType::kFloat32, halfbyte::DType::kFloat16, halfbyte::DType::kBFloat16};

// Appends the bytes of `value` in `dtype`.
inline void append(std::vector<uint8_t>& bytes, halfbyte::DType dtype, float value) {
    const uint32_t bits = dtype == halfbyte::DType::kFloat32   ? std::bit_cast<uint32_t>(value)
                          : dtype == halfbyte::DType::kFloat16 ? halfbyte::float_to_float16(value)
                                                               : halfbyte::float_to_bfloat16(value);
    for (int i = 0; i < halfbyte::size_of(dtype); ++i) bytes.push_back(static_cast<uint8_t>(bits >> (8 * i)));
}

// n elements: mostly values around 0 of magnitude up to `scale`; in some places zeros of both signs, NaN, infinities, denormals and
// whole stretches of zeros and of NaN.
inline std::vector<uint8_t> elements(int64_t n, halfbyte::DType dtype, float scale) {
    Random random(static_cast<uint64_t>(n) * 7 + static_cast<uint64_t>(dtype));
    constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
    const float special[] = {0.0f, -0.0f, kNan, -kNan, kInfinity, -kInfinity, 1e-40f, -1e-40f, 1e-7f, -1e-7f};
    std::vector<uint8_t> bytes;
    for (int64_t i = 0; i < n; ++i) {
        float value = random.uniform() * random.uniform() * scale;
        const int64_t stretch = i / 64 % 16;
        if (stretch == 3) value = i % 2 == 0 ? 0.0f : -0.0f;
        if (stretch == 5) value = kNan;
        if (stretch == 7 && i % 5 == 0) value = special[random.next() % 4];
        if (i / 4096 % 3 == 1 && stretch == 9) value = special[random.next() % std::size(special)];
        append(bytes, dtype, value);
    }
    return bytes;
}

}  // namespace test
