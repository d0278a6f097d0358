// A tile of dx = dy * W on tensor cores: 128 columns of dx by 16 or 64 rows, in stages of 32 rows of W.
//
// W is bfloat16 as it is; dy lies in shared memory as planes of bfloat16 whose sum it is exactly (planes.cuh), so the error is that
// of float32 sums: the 32 terms of a stage are summed on their own, and join the sum of the rest in float32.
//
// The columns of dx are the 16-row operand: warp w owns columns 16w to 16w + 15. W is staged as it lies in memory, [n][k], and
// transposed on the way to registers; dy, [m][n], already has the other operand's order. What eight lanes store or read at once,
// 16 bytes each, lies in different banks: W's rows are padded, dy's are too short for that and have their four pieces permuted.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/activation.cuh"
#include "cuda/device/planes.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/sum_tile.cuh"

namespace halfbyte::cuda {

inline constexpr int kTransposedThreads = 256, kTransposedColumns = 128, kTransposedDepth = 32;

// Planes: of dy. Groups: of eight rows of dy.
template <int Planes, int Groups>
struct TransposedStage {
    alignas(16) uint16_t w[kTransposedDepth][kTransposedColumns + 8];
    alignas(16) uint16_t d[Planes][8 * Groups][kTransposedDepth];  // columns by column_of
};

// Where column n (a multiple of 8) of row m of dy begins.
__device__ __forceinline__ int column_of(int m, int n) { return n ^ (m / 2 % 4 * 8); }

// Eight consecutive values, to the same place of each plane.
template <int Planes, class Place>
__device__ __forceinline__ void store_planes(const float (&values)[8], const Place& place) {
    uint32_t words[4][Planes];
#pragma unroll
    for (int i = 0; i < 4; ++i) split_two(words[i], values[2 * i], values[2 * i + 1]);
#pragma unroll
    for (int p = 0; p < Planes; ++p)
        *reinterpret_cast<uint4*>(place(p)) = make_uint4(words[0][p], words[1][p], words[2][p], words[3][p]);
}

// Rows first_n and on of W, columns first_k and on. `load(values, n, k)` gives elements k to k + 7 of row n, zero where there are
// none.
template <int Planes, int Groups, class Load>
__device__ __forceinline__ void stage_weights(TransposedStage<Planes, Groups>& stage, int64_t first_n, int64_t first_k,
                                              const Load& load) {
    constexpr int kRuns = kTransposedColumns / 8;
#pragma unroll
    for (int i = 0; i < kTransposedDepth * kRuns / kTransposedThreads; ++i) {
        const int run = static_cast<int>(threadIdx.x) + i * kTransposedThreads, n = run / kRuns, k = run % kRuns * 8;
        float values[8];
        load(values, first_n + n, first_k + k);
        store_planes<1>(values, [&](int) { return &stage.w[n][k]; });
    }
}

// Rows first_m and on of dy, columns first_n and on; as above.
template <int Planes, int Groups, class Load>
__device__ __forceinline__ void stage_gradients(TransposedStage<Planes, Groups>& stage, int64_t first_m, int64_t first_n,
                                                const Load& load) {
    constexpr int kRuns = kTransposedDepth / 8;
    const int run = static_cast<int>(threadIdx.x), m = run / kRuns, n = run % kRuns * 8;
    if (run >= 8 * Groups * kRuns) return;
    float values[8];
    load(values, first_m + m, first_n + n);
    store_planes<Planes>(values, [&](int p) { return &stage.d[p][m][column_of(m, n)]; });
}

// Eight elements of a row of dy that has `count` elements from here on.
template <class T>
__device__ __forceinline__ void load_gradients(float (&values)[8], const T* from, int64_t count, bool is_aligned) {
    if (is_aligned && count >= 8) load_eight(values, from);
    else load_eight(values, from, count);
}

// sums += stage.
template <int Planes, int Groups>
__device__ __forceinline__ void add_transposed(float (&sums)[Groups][4], const TransposedStage<Planes, Groups>& stage) {
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32, matrix = lane / 8;
    uint32_t a[2][4];  // [16 rows of W]
#pragma unroll
    for (int step = 0; step < 2; ++step)
        ptx::load_matrix_transposed(a[step], &stage.w[16 * step + matrix / 2 * 8 + lane % 8][16 * warp + matrix % 2 * 8]);
#pragma unroll
    for (int group = 0; group < Groups; ++group) {
        float part[4] = {};
#pragma unroll
        for (int p = Planes - 1; p >= 0; --p) {  // small terms first
            uint32_t words[4];
            ptx::load_matrix(words, &stage.d[p][8 * group + lane % 8][column_of(lane % 8, matrix * 8)]);
            const uint32_t b[2][2] = {{words[0], words[1]}, {words[2], words[3]}};
#pragma unroll
            for (int step = 0; step < 2; ++step) ptx::mma_m16n8k16_bf16(part, a[step], b[step]);
        }
#pragma unroll
        for (int e = 0; e < 4; ++e) sums[group][e] += part[e];
    }
}

}  // namespace halfbyte::cuda
