// From t in [-1, 1] to a 4-bit code: which interval between ascending thresholds holds it.
//
//   NF4, CUSTOM: code = number of i with t > T[i];   FP4: code = magnitude of |t|'s interval + 8 * (t < 0)
//
// Thresholds are far apart, so a grid of 32 cells over [-1, 1] (FP4: [0, 1]) has at most one in each. A cell says which code its
// left end has and where the next begins: a multiply-add, an addition whose rounding finds the cell, two lookups and one compare.
// Exact for every t, infinite ones and NaN included, because the cell is a function of t that never decreases, and thresholds went
// through the same function. Two lookups of a word each: lanes find 32 words in 32 banks, without conflicts. Tables of the
// caller's that lie closer are searched.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/codebooks.h"
#include "core/operations.h"

namespace halfbyte::cuda {

enum class Encoding { kCells, kSearch, kFp4 };

// As a kernel argument it costs no memory traffic; the kernel copies it to shared memory.
struct Encoder4Bit {
    static constexpr int kCells = 32;

    float threshold[kCells];  // kSearch: the 15 midpoints alone
    uint32_t code[kCells];    // of t at or below the threshold; kFp4: the code above it in the next byte
};

// The grid: cell = floor(saturate(t * scale + shift) * 31). 2^21 leaves two bits after the point, so that adding it makes the low
// bits of the sum the cell's offset in bytes, but for those two.
template <Encoding E>
inline constexpr float kCellScale = E == Encoding::kFp4 ? 1.0f : 0.5f;
template <Encoding E>
inline constexpr float kCellShift = E == Encoding::kFp4 ? 0.0f : 0.5f;
inline constexpr float kCellRounder = 0x1p21f;

template <Encoding E>
__device__ __forceinline__ uint32_t cell_of(float t) {                                                             // in bytes
    const float place = __saturatef(__fmaf_rn(E == Encoding::kFp4 ? fabsf(t) : t, kCellScale<E>, kCellShift<E>));  // NaN: 0
    return __float_as_uint(__fmaf_rn(place, Encoder4Bit::kCells - 1, kCellRounder)) & (Encoder4Bit::kCells - 1) * 4;
}

// Adds the code of t, `shift` bits up, to a word of codes.
template <Encoding E>
__device__ __forceinline__ void encode(const Encoder4Bit& encoder, float t, int shift, uint32_t& word) {
    if constexpr (E == Encoding::kSearch) {
        unsigned code = 0;
#pragma unroll
        for (unsigned step = 8; step > 0; step /= 2) code += t > encoder.threshold[code + step - 1] ? step : 0;
        word += code << shift;
    } else {
        const char* cell = reinterpret_cast<const char*>(&encoder) + cell_of<E>(t);
        const float threshold = *reinterpret_cast<const float*>(cell + offsetof(Encoder4Bit, threshold));
        uint32_t code = *reinterpret_cast<const uint32_t*>(cell + offsetof(Encoder4Bit, code));
        if constexpr (E == Encoding::kCells) {
            word += code << shift;
            if (t > threshold) word += 1u << shift;
        } else {
            if (fabsf(t) > threshold) code >>= 8;
            word += (code & 15) << shift;
            if (t < 0) word += 8u << shift;
        }
    }
}

// ---- on the host ---------------------------------------------------------------------------------------------------------------

// Fills the cells; false if two thresholds share one. codes[i] is the code above i thresholds.
template <Encoding E, size_t N>
bool fill_cells(Encoder4Bit& encoder, const std::array<float, N>& thresholds, const std::array<unsigned char, N + 1>& codes) {
    std::ranges::fill(encoder.threshold, std::numeric_limits<float>::infinity());
    size_t below = 0;
    for (size_t cell = 0; cell < Encoder4Bit::kCells; ++cell) {
        size_t inside = below;
        while (inside < N) {
            const float place = std::clamp(std::fma(thresholds[inside], kCellScale<E>, kCellShift<E>), 0.0f, 1.0f);
            const float sum = std::fma(place, static_cast<float>(Encoder4Bit::kCells - 1), kCellRounder);
            if (sum - kCellRounder >= static_cast<float>(cell + 1)) break;
            ++inside;
        }
        if (inside > below + 1) return false;
        if (inside > below) encoder.threshold[cell] = thresholds[below];
        encoder.code[cell] = codes[below];
        if constexpr (E == Encoding::kFp4) encoder.code[cell] |= static_cast<uint32_t>(codes[inside]) << 8;
        below = inside;
    }
    return true;
}

// The encoder of an operation, and which of the ways above it is for.
inline Encoding encoder_of(const Quantize4Bit& op, Encoder4Bit& encoder) {
    if (op.quant_type == QuantType::kFp4) {
        std::array<float, 7> thresholds;
        std::array<unsigned char, 8> magnitudes{};
        std::ranges::reverse_copy(kFp4Thresholds, thresholds.begin());
        std::ranges::reverse_copy(kFp4Magnitudes, magnitudes.begin() + 1);
        fill_cells<Encoding::kFp4>(encoder, thresholds, magnitudes);
        return Encoding::kFp4;
    }
    Codebook16 table;
    std::copy_n(op.codebook, table.size(), table.begin());
    const std::array<float, 15> thresholds = midpoints(table);
    std::array<unsigned char, 16> codes;
    for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<unsigned char>(i);
    if (fill_cells<Encoding::kCells>(encoder, thresholds, codes)) return Encoding::kCells;
    std::ranges::copy(thresholds, encoder.threshold);
    return Encoding::kSearch;
}

}  // namespace halfbyte::cuda
