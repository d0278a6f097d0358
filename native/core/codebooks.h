// The code tables: the only copy in the project. Other languages ask for them with halfbyte_codebook_values.
#pragma once

#include <array>
#include <cstddef>

namespace halfbyte {

using Codebook16 = std::array<float, 16>;
using Codebook256 = std::array<float, 256>;

// NormalFloat: the 16 quantiles of N(0,1) that the QLoRA paper fixes, scaled to [-1, 1], ascending. Recomputing them from normal
// quantiles differs in the last bits, so the values of the files in the world are written out.
inline constexpr Codebook16 kNf4 = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};

// FP4 (sign, 2-bit exponent, 1-bit mantissa, scaled to 1): in the order of its codes, which is not the order of its values.
inline constexpr Codebook16 kFp4 = {
    0.0f,  0.005208333333f,  0.66666667f,  1.0f,  0.33333333f,  0.5f,  0.16666667f,  0.25f,
    -0.0f, -0.005208333333f, -0.66666667f, -1.0f, -0.33333333f, -0.5f, -0.16666667f, -0.25f,
};

// |t| above kFp4Thresholds[i] gets magnitude kFp4Magnitudes[i]; the first that holds, from the largest down; else 0.
inline constexpr std::array<float, 7> kFp4Thresholds = {
    0.8333333f, 0.583333f, 0.4166667f, 0.29166667f, 0.20833333f, 0.0859375f, 0.00260417f,
};
inline constexpr std::array<unsigned char, 7> kFp4Magnitudes = {3, 2, 5, 4, 7, 6, 1};

// The midpoints that separate the codes of an ascending table.
constexpr std::array<float, 15> midpoints(const Codebook16& table) {
    std::array<float, 15> result{};
    for (std::size_t i = 0; i < 15; ++i)
        result[i] = static_cast<float>((static_cast<double>(table[i]) + static_cast<double>(table[i + 1])) / 2);
    return result;
}

constexpr std::array<float, 255> midpoints(const float* table256) {
    std::array<float, 255> result{};
    for (std::size_t i = 0; i < 255; ++i) result[i] = (table256[i] + table256[i + 1]) * 0.5f;
    return result;
}

// Dynamic 8-bit maps: seven decades, each with twice the steps of the one below, so that small values keep relative precision.
const Codebook256& dynamic_signed();
const Codebook256& dynamic_unsigned();

}  // namespace halfbyte
