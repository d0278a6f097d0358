// How the blockwise quantizers walk through a flat tensor: tiles of 8 warps x kRuns runs, and the absmax of every block in a tile.
//
//   element of (tile, warp, run, lane) = tile * kSize + warp * kWarpElements + (run * 32 + lane) * kElements, and kElements on
//
// A run is 16 bytes: 8 elements of a 16-bit type, 4 of float32. A warp loads 512 contiguous bytes per instruction, and its runs
// follow each other, so that a block of up to kWarpElements lies in one warp and is reduced by shuffles; larger ones lie in
// 2, 4 or 8 warps, whose maxima meet in shared memory. Every block, 4096 at most, lies in one tile.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/element.cuh"
#include "cuda/device/ptx.cuh"

namespace halfbyte::cuda {

// A run at the end of a tensor, of `count` elements or more, or at an address that 16-byte loads cannot take; zeros fill it up.
template <class T>
__device__ inline uint4 load_elements(const T* from, int64_t count) {
    constexpr int kElements = kElementsPer16Bytes<T>;
    float values[kElements];
#pragma unroll
    for (int i = 0; i < kElements; ++i) values[i] = i < count ? to_float(from[i]) : 0.0f;
    return pack(values, T{});
}

template <class T>
struct BlockTile {
    static constexpr int kThreads = 256, kWarps = kThreads / 32;
    static constexpr int kRuns = 4;  // 64 bytes in flight per thread
    static constexpr int kElements = kElementsPer16Bytes<T>;
    static constexpr int kWarpElements = 32 * kRuns * kElements;
    static constexpr int kSize = kWarps * kWarpElements;  // 8192 of a 16-bit type, 4096 of float32
    static_assert(kSize >= 4096);

    // Where this thread's first run begins; the next is kStride on.
    __device__ static __forceinline__ int64_t first(int64_t tile) {
        return tile * kSize + static_cast<int>(threadIdx.x / 32 * kWarpElements + threadIdx.x % 32 * kElements);
    }
    static constexpr int kStride = 32 * kElements;

    // Whether runs are loaded and stored as such; else element by element, with zeros beyond n.
    __device__ static __forceinline__ bool is_whole(int64_t tile, int64_t n, bool aligned) {
        return aligned && (tile + 1) * kSize <= n;
    }

    // This thread's elements.
    __device__ static __forceinline__ void load(uint4 (&runs)[kRuns], const T* input, int64_t first, int64_t n, bool whole) {
#pragma unroll
        for (int r = 0; r < kRuns; ++r) {
            const int64_t i = first + r * kStride;
            if (whole) runs[r] = ptx::load_streaming(reinterpret_cast<const uint4*>(input + i));
            else runs[r] = i < n ? load_elements(input + i, n - i) : uint4{};
        }
    }

    // In: the largest |x| of this thread's runs. Out: of the blocks that they lie in. All threads of the block take part.
    // `of_warps` is shared memory that nobody reads or writes until the next barrier.
    __device__ static __forceinline__ void reduce(float (&absmax)[kRuns], int blocksize, float (&of_warps)[kWarps]) {
        reduce_in_warp(absmax, blocksize);
        if (blocksize <= kWarpElements) return;
        const int warp = static_cast<int>(threadIdx.x / 32), warps = blocksize / kWarpElements;
        if (threadIdx.x % 32 == 0) of_warps[warp] = absmax[0];
        __syncthreads();
        float of_block = 0;
#pragma unroll 1
        for (int w = 0; w < warps; ++w) of_block = fmaxf(of_block, of_warps[(warp & -warps) + w]);
#pragma unroll
        for (int r = 0; r < kRuns; ++r) absmax[r] = of_block;
    }

    // The same for the part of the blocks that lies in this warp.
    __device__ static __forceinline__ void reduce_in_warp(float (&absmax)[kRuns], int blocksize) {
        static_assert(kRuns == 4);
        const int lanes = blocksize / kElements;
        for (int offset = min(lanes, 32) / 2; offset > 0; offset /= 2) {
#pragma unroll
            for (int r = 0; r < kRuns; ++r) absmax[r] = fmaxf(absmax[r], __shfl_xor_sync(0xffffffffu, absmax[r], offset));
        }
        if (lanes <= 32) return;
        absmax[0] = absmax[1] = fmaxf(absmax[0], absmax[1]);
        absmax[2] = absmax[3] = fmaxf(absmax[2], absmax[3]);
        if (lanes > 64) absmax[0] = absmax[1] = absmax[2] = absmax[3] = fmaxf(absmax[0], absmax[2]);
    }
};

// |x| of NaN counts as nothing, here and everywhere: fmaxf returns its other operand.
template <int N>
__device__ __forceinline__ float absmax_of(const float (&x)[N]) {
    float absmax = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) absmax = fmaxf(absmax, fabsf(x[i]));
    return absmax;
}

}  // namespace halfbyte::cuda
