// Quantizes a row to int8, plain C++: the definition, in its own words. Two passes over the row: absmax, then codes.
#include <cmath>

#include "activations.h"
#include "quantize_int8_rows.h"

namespace halfbyte::cpu {
namespace {

int8_t code_of(float product) {
    if (std::isnan(product)) return 0;
    if (product > 127.0f) return 127;
    if (product < -127.0f) return -127;
    return static_cast<int8_t>(std::nearbyint(product));
}

}  // namespace

float quantize_int8_row_scalar(const void* x, DType dtype, int64_t cols, float threshold, uint64_t* outliers, int8_t* codes) {
    float absmax = 0.0f;
    for (int64_t c = 0; c < cols; ++c) {
        const float magnitude = std::fabs(load_float(dtype, x, c));
        if (threshold > 0 && magnitude >= threshold) outliers[c / 64] |= uint64_t{1} << (c % 64);
        else if (magnitude > absmax) absmax = magnitude;  // false for NaN
    }
    const float scale = 127.0f / absmax;
    for (int64_t c = 0; c < cols; ++c) codes[c] = code_of(load_float(dtype, x, c) * scale);
    return absmax;
}

}  // namespace halfbyte::cpu
