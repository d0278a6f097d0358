#include "matrix.h"

#include <cmath>

namespace halfbyte::emulation {

const std::array<float, 65536>& float16_values() {
    static const std::array<float, 65536> values = [] {
        std::array<float, 65536> result{};
        for (uint32_t bits = 0; bits < 65536; ++bits) {
            const int exponent = (bits >> 10) & 31;
            const float mantissa = static_cast<float>(bits & 1023) / 1024.0f;
            float magnitude = exponent == 0 ? std::ldexp(mantissa, -14) : std::ldexp(1.0f + mantissa, exponent - 15);
            if (exponent == 31) magnitude = (bits & 1023) != 0 ? std::nanf("") : INFINITY;
            result[bits] = (bits & 0x8000) != 0 ? -magnitude : magnitude;
        }
        return result;
    }();
    return values;
}

}  // namespace halfbyte::emulation
