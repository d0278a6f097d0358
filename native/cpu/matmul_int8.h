// y = x * W^T for int8 weights: the kernels, one per path. A kernel works on one tile; matmul_int8.cpp cuts the product into tiles.
#pragma once

#include "core/operations.h"

namespace halfbyte::cpu {

inline constexpr int64_t kInt8TileM = 64;  // rows of x in a tile, at most
inline constexpr int64_t kInt8TileN = 48;  // rows of the weight: a multiple of what the kernels take at once
inline constexpr int64_t kInt8TileSums = kInt8TileM * kInt8TileN;  // a tile with fewer rows of x may have more of the weight

// The longest sum that int32 holds for any codes: 128 * 127 * 2^17 < 2^31.
inline constexpr int64_t kInt8ExactK = 131072;

// Rows of quantized x are padded to a multiple of this with zeros, so that kernels read whole vectors of them.
inline constexpr int64_t kInt8Pad = 64;

// sums[m * ldsums + n] = sum over k < K of x[m, k] * w[n, k], exact, for m < M and n < N. K <= kInt8ExactK.
struct Int8Tile {
    const int8_t* x;  // [M, K] in -127..127, zero from K to the next multiple of kInt8Pad
    int64_t ldx;
    const int8_t* w;  // [N, K] in -128..127; nothing beyond K is touched
    int64_t ldw;
    int64_t M, N, K;
    int64_t ldsums;  // >= N, a multiple of kInt8TileN; M * ldsums <= kInt8TileSums
};
using DotInt8 = void (*)(const Int8Tile& tile, int32_t* sums);

void dot_int8_scalar(const Int8Tile& tile, int32_t* sums);
void dot_int8_avx2(const Int8Tile& tile, int32_t* sums);
void dot_int8_avx512(const Int8Tile& tile, int32_t* sums);
void dot_int8_avx512_bf16(const Int8Tile& tile, int32_t* sums);

// sums[m * kInt8TileN + n] += x[m * count + c] * w[c * kInt8TileN + n] for c = 0, 1, ..., count - 1 in order, in float32, for m < M
// and all n < kInt8TileN.
using AddOutliers = void (*)(const float* x, const float* w, int64_t M, int64_t count, float* sums);

void add_outliers_scalar(const float* x, const float* w, int64_t M, int64_t count, float* sums);
void add_outliers_avx2(const float* x, const float* w, int64_t M, int64_t count, float* sums);
void add_outliers_avx512(const float* x, const float* w, int64_t M, int64_t count, float* sums);

}  // namespace halfbyte::cpu
