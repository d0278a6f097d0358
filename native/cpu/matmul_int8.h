// y = x * W^T for int8 weights: the kernels, one per path. A kernel works on one tile of at most kInt8TileM rows of x and
// kInt8TileN rows of the weight; matmul_int8.cpp cuts the product into such tiles.
#pragma once

#include "cpu_stream.h"

namespace halfbyte::cpu {

inline constexpr int64_t kInt8TileM = 64;
inline constexpr int64_t kInt8TileN = 64;

// The longest sum that int32 holds for any codes: 128 * 127 * 2^17 < 2^31.
inline constexpr int64_t kInt8ExactK = 131072;

// Rows of quantized x start kInt8Pad bytes apart times something, and are zero beyond K, so that kernels may read whole vectors.
inline constexpr int64_t kInt8Pad = 64;

// sums[m * kInt8TileN + n] = sum over k < K of x[m, k] * w[n, k], exact. K <= kInt8ExactK.
struct Int8Tile {
    const int8_t* x;  // [M, K] in -127..127, zero from K to the next multiple of kInt8Pad
    int64_t ldx;
    const int8_t* w;  // [N, K] in -128..127: nothing may be read beyond K
    int64_t ldw;
    int64_t M, N, K;
};
using DotInt8 = void (*)(const Int8Tile& tile, int32_t* sums);

void dot_int8_scalar(const Int8Tile& tile, int32_t* sums);

// sums[m * kInt8TileN + n] += sum over c < count, in order, of x[m * count + c] * w[c * kInt8TileN + n] in float32; m < M and all
// n.
using AddOutliers = void (*)(const float* x, const float* w, int64_t M, int64_t count, float* sums);

void add_outliers_scalar(const float* x, const float* w, int64_t M, int64_t count, float* sums);

}  // namespace halfbyte::cpu
