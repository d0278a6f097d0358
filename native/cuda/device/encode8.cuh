// From t in [-1, 1] to an 8-bit code: the nearest of 256 values, a tie to the even code. For any non-decreasing codebook.
//
//   code = number of i in 0..254 with t > m[i], or t == m[i] and i odd,   m[i] = (v[i] + v[i+1]) * 0.5f;   0 if t is NaN
//        = number of thresholds below t, a threshold being m[i], or for odd i the float before it
//
// The axis of t is cut into cells by its sign, its exponent from 2^-20 to 2^0 and the first six bits of its fraction: fine enough
// that a cell of the signed dynamic map has no more than one threshold. A cell knows how many thresholds lie before it and, if it
// has two or more, how many; those are searched. Exact for every t, because the cell is a function of t that never decreases, and
// thresholds went through the same function.
//
// Each block of threads makes the cells for itself from the codebook: 2562 searches of 8 steps, which a kernel whose blocks live
// long does not notice.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/codebook256.cuh"

namespace halfbyte::cuda {

struct Encoder8Bit {
    static constexpr int kFractionBits = 6, kOctaves = 20;
    static constexpr int kHalf = (kOctaves << kFractionBits) + 2;  // cells of one sign: up to 2^-20, the octaves, 1 and up
    static constexpr int kCells = 2 * kHalf;

    float threshold[256];   // ascending; the last is infinite, and no t is above it
    float midpoint[256];    // scratch of the preparation
    uint16_t cell[kCells];  // thresholds before the cell, + 256 * thresholds in it if there are two or more
};

__device__ __forceinline__ int cell_of(float t) {
    constexpr int kFirst = ((127 - Encoder8Bit::kOctaves) << Encoder8Bit::kFractionBits) - 1;
    const int bits = __float_as_int(t);
    const int magnitude = min(max(((bits & 0x7fffffff) >> (23 - Encoder8Bit::kFractionBits)) - kFirst, 0), Encoder8Bit::kHalf - 1);
    return Encoder8Bit::kHalf + (magnitude ^ (bits >> 31));  // a negative number's cells go downwards
}

// The number of thresholds in [first, last) that `is_before` holds for, which it does for the first ones.
template <class IsBefore>
__device__ __forceinline__ int count_before(int first, int last, const IsBefore& is_before) {
    while (first < last) {
        const int middle = (first + last) / 2;
        if (is_before(middle)) first = middle + 1;
        else last = middle;
    }
    return first;
}

// The least float. t is raised to it, and even midpoints are: so -infinity, as t, is above odd midpoints of -infinity and no
// others.
inline constexpr float kLowest = -3.402823466e38f;

__device__ inline float float_before(float value) {
    if (value == 0.0f) return __uint_as_float(0x80000001u);
    if (value == -INFINITY) return value;
    return __int_as_float(__float_as_int(value) + (value > 0.0f ? -1 : 1));
}

// 256 threads prepare the encoder, with barriers inside: what any of them wrote to shared memory before, all see afterwards.
__device__ inline void prepare(Encoder8Bit& encoder, const Codebook256Source& codebook) {
    const int i = static_cast<int>(threadIdx.x);
    load_codebook(encoder.threshold, codebook);
    __syncthreads();
    float m = INFINITY;
    if (i < 255) m = __fmul_rn(__fadd_rn(encoder.threshold[i], encoder.threshold[i + 1]), 0.5f);
    if (m == 0.0f) m = 0.0f;  // never -0, whose cell is not that of 0
    encoder.midpoint[i] = m;
    __syncthreads();

    // Where a midpoint repeats, the thresholds of odd ones come before those of even ones.
    int first = i, odd = 0, before = 0;
    while (i < 255 && first > 0 && encoder.midpoint[first - 1] == m) --first;
    for (int j = first; j < 255 && encoder.midpoint[j] == m; ++j) {
        odd += j % 2;
        before += j < i && j % 2 == i % 2;
    }
    if (i == 255) encoder.threshold[i] = INFINITY;
    else if (i % 2 != 0) encoder.threshold[first + before] = float_before(m);
    else encoder.threshold[first + odd + before] = fmaxf(m, kLowest);
    __syncthreads();

    for (int cell = i; cell < Encoder8Bit::kCells; cell += 256) {
        const int lower = count_before(0, 255, [&](int j) { return cell_of(encoder.threshold[j]) < cell; });
        int upper = lower;
        while (upper < 255 && cell_of(encoder.threshold[upper]) == cell) ++upper;
        encoder.cell[cell] = static_cast<uint16_t>(lower + (upper - lower > 1 ? (upper - lower) << 8 : 0));
    }
    __syncthreads();
}

__device__ __forceinline__ unsigned encode(const Encoder8Bit& encoder, float t) {
    const float finite = fmaxf(t, kLowest);
    const int cell = encoder.cell[cell_of(finite)];
    int code = cell & 255;
    if (cell > 255) code = count_before(code, code + (cell >> 8), [&](int j) { return finite > encoder.threshold[j]; });
    else code += finite > encoder.threshold[code];
    return t == t ? static_cast<unsigned>(code) : 0u;  // NaN
}

}  // namespace halfbyte::cuda
