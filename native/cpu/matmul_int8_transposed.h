// dx = dy * W for int8 weights: the kernels, one per path. A kernel adds what up to kGradientTileN rows of the weight contribute to
// one tile of dx; matmul_int8_transposed.cpp cuts the product into tiles.
#pragma once

#include "core/operations.h"

namespace halfbyte::cpu {

inline constexpr int64_t kGradientTileM = 64;  // rows of dx in a tile, at most
inline constexpr int64_t kGradientTileN = 64;  // rows of the weight between two visits to the sums
inline constexpr int64_t kGradientPad = 64;    // rows of sums are padded to a multiple of this, so that kernels write whole vectors

// sums[m * ldsums + k] += d[m * kGradientTileN + n] * w[n, k] for n = 0, 1, ..., N - 1 in order, in float32.
struct GradientTile {
    const float* d;   // [M, kGradientTileN]: dy * absmax / 127
    const int8_t* w;  // [N, K]; nothing beyond K is touched
    int64_t ldw;
    int64_t M, N, K;
    int64_t ldsums;  // >= K, a multiple of kGradientPad; what lies beyond K is undefined
};
using AddGradient = void (*)(const GradientTile& tile, float* sums);

void add_gradient_int8_scalar(const GradientTile& tile, float* sums);
void add_gradient_int8_avx2(const GradientTile& tile, float* sums);
void add_gradient_int8_avx512(const GradientTile& tile, float* sums);

}  // namespace halfbyte::cpu
