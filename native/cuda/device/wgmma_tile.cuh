// What the products on Hopper's tensor cores share: a block of two consumer warpgroups and a producer, the tile that it makes, and
// the way of the sums to memory.
//
// Consumer warpgroup c makes features 64c to 64c + 63 of the tile by all its rows of x: features are the 64 rows of wgmma, rows
// of x its columns. So what a thread holds lies along the wrong direction for y, where features are contiguous: the sums, with
// the bias and rounded, are stored transposed in shared memory, whose rows go to y in 16-byte pieces where they may. Rows of the
// staged tile lie 144 bytes apart, so that the eight pieces that are served together touch all 32 banks once.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "cuda/device/element.cuh"
#include "cuda/device/grid.cuh"
#include "cuda/device/product_output.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/ptx/cluster.cuh"
#include "cuda/device/ptx/wgmma.cuh"

namespace halfbyte::cuda {

inline constexpr int kWgmmaFeatures = 128, kWgmmaStep = 64;  // of a tile, and k of a stage
inline constexpr int kWgmmaConsumers = 256, kWgmmaProducers = 128, kWgmmaThreads = kWgmmaConsumers + kWgmmaProducers;

inline constexpr int kWgmmaSharedBytes = 227 * 1024;  // a block has them all

// Registers of each thread once producers have given theirs away. The block shares what it was launched with: as many for every
// thread as a multiple of eight allows. One more, and the consumers wait for it for ever.
inline constexpr int kWgmmaConsumerRegisters = 208, kWgmmaProducerRegisters = 88;
static_assert(kWgmmaConsumers * kWgmmaConsumerRegisters + kWgmmaProducers * kWgmmaProducerRegisters <=
              65536 / kWgmmaThreads / 8 * 8 * kWgmmaThreads);

// d += a * b, 64 x 2 Registers x 16. A: a descriptor, or four registers.
template <int Registers, class A>
__device__ __forceinline__ void wgmma_add(float (&d)[Registers], const A& a, uint64_t b, __nv_bfloat16) {
    ptx::wgmma_bf16(d, a, b, true);
}
template <int Registers, class A>
__device__ __forceinline__ void wgmma_add(float (&d)[Registers], const A& a, uint64_t b, __half) {
    ptx::wgmma_f16(d, a, b, true);
}

// Rows of 64 elements, as TMA leaves them with a swizzle of 128 bytes.
template <class T>
__device__ __forceinline__ uint64_t row_descriptor(const T (*rows)[kWgmmaStep]) {
    return ptx::wgmma_descriptor(rows, 0, 8 * sizeof *rows, ptx::WgmmaSwizzle::k128Bytes);
}
// The same so many bytes further on, which is a part of a row or a stage: the address is in the lower half, with room to spare.
__device__ __forceinline__ uint64_t further(uint64_t descriptor, int bytes) {
    return descriptor >> 32 << 32 | (static_cast<uint32_t>(descriptor) + static_cast<uint32_t>(bytes) / 16);
}

// Which piece of the work: a tile of features, one of rows of x, and a part of K. Tiles of x come first, so that blocks that run at
// the same time share the weight's bytes in the second-level cache. The blocks of a cluster take neighbouring tiles of features at
// the same time, with the same rows of x and the same part of K; what is beyond the last tile takes part and stores nothing.
struct WgmmaWork {
    int64_t groups, tiles_m, splits, depth;  // groups: of tiles of features, one for each block of a cluster; depth: k of a part
    uint32_t cluster = 1;

    __host__ __device__ int64_t count() const { return groups * tiles_m * splits; }
    __device__ __forceinline__ int64_t first() const { return blockIdx.x / cluster; }
    __device__ __forceinline__ int64_t stride() const { return gridDim.x / cluster; }
    __device__ __forceinline__ int64_t tile_m(int64_t item) const { return item % tiles_m; }
    __device__ __forceinline__ int64_t tile(int64_t item) const { return item / tiles_m % groups * cluster + ptx::cluster_rank(); }
    __device__ __forceinline__ int64_t split(int64_t item) const { return item / tiles_m / groups; }

    // A cluster for each piece, or as many as the device has room for.
    cudaError_t grid(dim3* blocks) const {
        const cudaError_t status = persistent_grid(count() * cluster, 1, blocks);
        blocks->x = std::max(blocks->x / cluster, 1u) * cluster;
        return status;
    }
};

// Sums of one consumer warpgroup on their way to y: so many rows at a time, whatever the tile has.
inline constexpr int kWgmmaStagedRows = 64;
template <class T>
struct WgmmaStaging {
    alignas(16) T at[kWgmmaStagedRows][64 + 8];
};

// y[m, n] = staged [m - first_m, n - first_n] for one warpgroup's 64 features.
template <class T>
__device__ __forceinline__ void store_staged(const WgmmaStaging<T>& staging, const ProductOutput& output, int64_t first_m,
                                             int64_t M, int64_t first_n, int64_t N) {
    const int thread = static_cast<int>(threadIdx.x) % 128;
    const int64_t n = first_n + thread % 8 * 8, rest = N - n;
    const bool is_whole = rest >= 8 && reinterpret_cast<uintptr_t>(output.y) % 16 == 0 && output.ldy % kElementsPer16Bytes<T> == 0;
#pragma unroll 1
    for (int r = thread / 8; r < kWgmmaStagedRows && first_m + r < M; r += 16) {
        const T* from = &staging.at[r][thread % 8 * 8];
        T* to = static_cast<T*>(output.y) + (first_m + r) * output.ldy + n;
        if (is_whole) {
            *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
        } else {
#pragma unroll 1
            for (int i = 0; i < 8 && i < rest; ++i) to[i] = from[i];
        }
    }
}

// y[first_m + r, first_n + f] = sum + bias for the warpgroup's 64 features f. All its 128 threads take part.
template <class T, int Registers>
__device__ __forceinline__ void store_sums(WgmmaStaging<T>& staging, const float (&sums)[Registers], const ProductOutput& output,
                                           int64_t first_m, int64_t M, int64_t first_n, int64_t N) {
    const int thread = static_cast<int>(threadIdx.x) % 128, warp = thread / 32, lane = thread % 32;
    const unsigned barrier = 1 + threadIdx.x / 128;
    float bias[2] = {-0.0f, -0.0f};  // adding it changes nothing
    if (output.bias != nullptr) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const int64_t n = first_n + warp * 16 + lane / 4 + 8 * i;
            if (n < N) bias[i] = load_as_float(output.bias, output.bias_dtype, n);
        }
    }
#pragma unroll
    for (int first = 0; first < 2 * Registers; first += kWgmmaStagedRows) {
        ptx::barrier_sync(barrier, 128);  // what was staged before has been read
        T* row = &staging.at[lane / 16 * 8 + lane % 8][warp * 16 + lane / 8 % 2 * 8];
#pragma unroll
        for (int r = first; r < first + kWgmmaStagedRows; r += 16, row += 16 * (64 + 8)) {
            uint32_t words[4];  // rows r to r + 7 of features g and g + 8, then the next eight rows
#pragma unroll
            for (int i = 0; i < 4; ++i)
                words[i] = pack_two(sums[r / 2 + 2 * i] + bias[i % 2], sums[r / 2 + 2 * i + 1] + bias[i % 2], T{});
            ptx::store_matrix_transposed(row, words);
        }
        ptx::barrier_sync(barrier, 128);
        store_staged(staging, output, first_m + first, M, first_n, N);
    }
}

// The same sums as they are, for a product that is split in depth: to `partials`, whose rows are `ld` apart. Eight lanes store
// eight consecutive features.
template <int Registers>
__device__ __forceinline__ void store_partial_sums(float* partials, int64_t ld, const float (&sums)[Registers], int64_t first_m,
                                                   int64_t M, int64_t first_n, int64_t N) {
    const int thread = static_cast<int>(threadIdx.x) % 128, warp = thread / 32, lane = thread % 32;
    int64_t m = first_m + lane % 4 * 2;
    const int64_t n = first_n + warp * 16 + lane / 4;
    const bool has_low = n < N, has_high = n + 8 < N;
    float* to = partials + m * ld + n;
#pragma unroll
    for (int j = 0; j < Registers / 4; ++j, m += 8, to += 8 * ld) {
#pragma unroll
        for (int b = 0; b < 2; ++b) {
            if (m + b < M && has_low) to[b * ld] = sums[4 * j + b];
            if (m + b < M && has_high) to[b * ld + 8] = sums[4 * j + 2 + b];
        }
    }
}

}  // namespace halfbyte::cuda
