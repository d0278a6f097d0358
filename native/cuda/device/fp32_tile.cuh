// A 64 x 64 tile of a product in float32, on the ordinary arithmetic units: what every shape, type and device can take.
//
//   sum[i, j] += sum over l < depth of a(i, l) * b(j, l)
//
// 256 threads; thread (ty, tx) = (threadIdx / 16, threadIdx % 16) owns rows 4 ty + {0..3} and columns 4 tx + {0..3}. 32 steps of
// depth are staged in shared memory as float32 at a time and summed on their own before they join, which keeps the error of long
// sums small. `a` and `b` are functions of a row (or column) of the tile and a depth; they return 0 beyond the matrix.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace halfbyte::cuda {

inline constexpr int kFp32Tile = 64, kFp32Depth = 32, kFp32Threads = 256;

struct Fp32Tile {
    alignas(16) float a[kFp32Depth][kFp32Tile + 4];
    alignas(16) float b[kFp32Depth][kFp32Tile + 4];
};

using Fp32Sums = float[4][4];

__device__ __forceinline__ int fp32_tile_row() { return static_cast<int>(threadIdx.x) / 16 * 4; }
__device__ __forceinline__ int fp32_tile_column() { return static_cast<int>(threadIdx.x) % 16 * 4; }

// DepthFirst: consecutive threads stage consecutive depths, as matrices whose rows run along the depth want it.
template <bool DepthFirst, class Source>
__device__ __forceinline__ void stage_fp32(float (&to)[kFp32Depth][kFp32Tile + 4], int64_t first, const Source& source) {
#pragma unroll 4
    for (int e = static_cast<int>(threadIdx.x); e < kFp32Tile * kFp32Depth; e += kFp32Threads) {
        const int l = DepthFirst ? e % kFp32Depth : e / kFp32Tile, i = DepthFirst ? e / kFp32Depth : e % kFp32Tile;
        to[l][i] = source(i, first + l);
    }
}

// BDepthFirst: see above; `a` is always staged so. All threads of the block take part; ends with a barrier.
template <bool BDepthFirst, class A, class B>
__device__ __forceinline__ void add_fp32_tile(Fp32Tile& shared, Fp32Sums& sums, int64_t depth, const A& a, const B& b) {
    for (int64_t first = 0; first < depth; first += kFp32Depth) {
        stage_fp32<true>(shared.a, first, a);
        stage_fp32<BDepthFirst>(shared.b, first, b);
        __syncthreads();
        Fp32Sums part = {};
#pragma unroll 8
        for (int l = 0; l < kFp32Depth; ++l) {
            const float4 x = *reinterpret_cast<const float4*>(&shared.a[l][fp32_tile_row()]);
            const float4 w = *reinterpret_cast<const float4*>(&shared.b[l][fp32_tile_column()]);
            const float xs[4] = {x.x, x.y, x.z, x.w}, ws[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) part[i][j] += xs[i] * ws[j];
        }
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j) sums[i][j] += part[i][j];
        __syncthreads();
    }
}

}  // namespace halfbyte::cuda
