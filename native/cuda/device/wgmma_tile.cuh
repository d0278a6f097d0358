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
// the same time share the weight's bytes in the second-level cache. One or two blocks of a cluster take neighbouring tiles of
// features at the same time, with the same rows of x and the same part of K; what is beyond the last tile takes part and stores
// nothing. Where the parts of K are added in the cluster (wgmma_sums.cuh) it has a block for each, and makes one piece of the work.
struct WgmmaWork {
    int64_t groups, tiles_m, splits, depth;  // groups: of tiles of features that blocks take together; depth: k of a part
    uint32_t together = 1;                   // tiles of features: 1 or 2
    bool adds_in_cluster = false;

    __host__ __device__ uint32_t cluster() const { return together * (adds_in_cluster ? static_cast<uint32_t>(splits) : 1); }
    __host__ __device__ int64_t count() const { return groups * tiles_m * (adds_in_cluster ? 1 : splits); }
    __device__ __forceinline__ int64_t first() const { return blockIdx.x / cluster(); }
    __device__ __forceinline__ int64_t stride() const { return gridDim.x / cluster(); }
    __device__ __forceinline__ int64_t tile_m(int64_t item) const { return item % tiles_m; }
    __device__ __forceinline__ int64_t tile(int64_t item) const { return item / tiles_m % groups * together + place(); }
    __device__ __forceinline__ int64_t split(int64_t item) const {
        return adds_in_cluster ? ptx::cluster_rank() / together : item / tiles_m / groups;
    }
    // This block's number among those that share x, and the first one's in the cluster.
    __device__ __forceinline__ uint32_t place() const { return ptx::cluster_rank() & (together - 1); }
    __device__ __forceinline__ uint32_t first_together() const { return ptx::cluster_rank() - place(); }

    // A cluster for each piece, or, if each makes many, as many as the device has room for.
    cudaError_t grid(dim3* blocks) const {
        if (adds_in_cluster) return *blocks = static_cast<unsigned>(count()) * cluster(), cudaSuccess;
        const cudaError_t status = persistent_grid(count() * together, 1, blocks);
        blocks->x = std::max(blocks->x / together, 1u) * together;
        return status;
    }
};

// Sums of one consumer warpgroup on their way to y: so many rows at a time, whatever the tile has.
inline constexpr int kWgmmaStagedRows = 64;
template <class T>
struct WgmmaStaging {
    alignas(16) T at[kWgmmaStagedRows][64 + 8];
};

// y[m, n] = staged [m - first_m, n - first_n] for one warpgroup's 64 features and so many rows, a multiple of 16.
template <class T>
__device__ __forceinline__ void store_staged(const WgmmaStaging<T>& staging, const ProductOutput& output, int rows, int64_t first_m,
                                             int64_t M, int64_t first_n, int64_t N) {
    const int thread = static_cast<int>(threadIdx.x) % 128;
    const int64_t n = first_n + thread % 8 * 8, rest = N - n;
    const bool is_whole = rest >= 8 && reinterpret_cast<uintptr_t>(output.y) % 16 == 0 && output.ldy % kElementsPer16Bytes<T> == 0;
#pragma unroll 1
    for (int r = thread / 8; r < rows && first_m + r < M; r += 16) {
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

// Bias of the two features of which this thread has sums.
struct WgmmaBias {
    float at[2] = {-0.0f, -0.0f};  // adding it changes nothing

    __device__ __forceinline__ WgmmaBias(const ProductOutput& output, int64_t first_n, int64_t N) {
        if (output.bias == nullptr) return;
        const int thread = static_cast<int>(threadIdx.x) % 128;
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const int64_t n = first_n + thread / 32 * 16 + thread % 32 / 4 + 8 * i;
            if (n < N) at[i] = load_as_float(output.bias, output.bias_dtype, n);
        }
    }
};

// Sixteen rows of sums, those from register `first` on, to rows of the staged tile.
template <class T, int Registers>
__device__ __forceinline__ void stage_sums(WgmmaStaging<T>& staging, int row, const float (&sums)[Registers], int first,
                                           const WgmmaBias& bias) {
    const int warp = static_cast<int>(threadIdx.x) % 128 / 32, lane = static_cast<int>(threadIdx.x) % 32;
    uint32_t words[4];  // the first eight rows of features g and g + 8, then the other eight
#pragma unroll
    for (int i = 0; i < 4; ++i)
        words[i] = pack_two(sums[first + 2 * i] + bias.at[i % 2], sums[first + 2 * i + 1] + bias.at[i % 2], T{});
    ptx::store_matrix_transposed(&staging.at[row + lane / 16 * 8 + lane % 8][warp * 16 + lane / 8 % 2 * 8], words);
}

// y[first_m + r, first_n + f] = sum + bias for the warpgroup's 64 features f. All its 128 threads take part.
template <class T, int Registers>
__device__ __forceinline__ void store_sums(WgmmaStaging<T>& staging, const float (&sums)[Registers], const ProductOutput& output,
                                           int64_t first_m, int64_t M, int64_t first_n, int64_t N) {
    const unsigned barrier = 1 + threadIdx.x / 128;
    const WgmmaBias bias(output, first_n, N);
    constexpr int kRows = 2 * Registers < kWgmmaStagedRows ? 2 * Registers : kWgmmaStagedRows;
#pragma unroll
    for (int first = 0; first < 2 * Registers; first += kRows) {
        ptx::barrier_sync(barrier, 128);  // what was staged before has been read
#pragma unroll
        for (int r = 0; r < kRows; r += 16) stage_sums(staging, r, sums, (first + r) / 2, bias);
        ptx::barrier_sync(barrier, 128);
        store_staged(staging, output, kRows, first_m + first, M, first_n, N);
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
