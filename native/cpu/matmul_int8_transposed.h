// dx = dy * W for int8 weights: the kernels, one per path.
#pragma once

#include "cpu_stream.h"

namespace halfbyte::cpu {

inline constexpr int64_t kGradientTileM = 64;    // rows of dx that one tile sums at once
inline constexpr int64_t kGradientTileN = 64;    // rows of the weight between two visits to the sums
inline constexpr int64_t kGradientTileK = 1024;  // columns of dx: a stretch of each weight row long enough to stream

// sums[m * kGradientTileK + k] += d[m * kGradientTileN + n] * w[n, k] for n = 0, 1, ..., N - 1 in order, in float32.
struct GradientTile {
    const float* d;   // [M, kGradientTileN]: dy * absmax / 127
    const int8_t* w;  // [N, K]
    int64_t ldw;
    int64_t M, N, K;
};
using AddGradient = void (*)(const GradientTile& tile, float* sums);

void add_gradient_int8_scalar(const GradientTile& tile, float* sums);

}  // namespace halfbyte::cpu
