// The sums of a block of eight warps on their way to memory: through shared memory, so that consecutive threads store consecutive
// elements, and so that what happens to an element is written out once and not for every register.
//
// Warp w holds rows 16w to 16w + 15 of the weight by `Groups` times eight rows of x, as tensor cores leave them. Rows of the tile
// lie 132 words apart: the 32 lanes that store at once touch 32 banks.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace halfbyte::cuda {

inline constexpr int kSumColumns = 128;

template <class Sum, int Groups>
struct SumTile {
    Sum at[8 * Groups][kSumColumns + 4];
};

// Calls element(row of x, row of the weight, sum) for each element of the block's tile. All 256 threads take part; the tile may lie
// where other shared memory was, which nobody may use any more after.
template <class Sum, int Groups, class Element>
__device__ __forceinline__ void for_each_sum(SumTile<Sum, Groups>& tile, const Sum (&sums)[Groups][4], const Element& element) {
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    __syncthreads();
#pragma unroll
    for (int group = 0; group < Groups; ++group)
#pragma unroll
        for (int e = 0; e < 4; ++e)
            tile.at[8 * group + lane % 4 * 2 + (e & 1)][warp * 16 + lane / 4 + 8 * (e >> 1)] = sums[group][e];
    __syncthreads();
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x); i < 8 * Groups * kSumColumns; i += 256)
        element(i / kSumColumns, i % kSumColumns, tile.at[i / kSumColumns][i % kSumColumns]);
}

// The same for a tile of `Rows` rows of x, 64 or fewer at a time, by a block of `Threads`: this warp holds `Strips` times sixteen
// rows of the weight from first_row on, by `Groups` times eight rows of x from first_x on.
template <int Threads, int Rows, class Sum, int Strips, int Groups, class Element>
__device__ __forceinline__ void for_each_sum_of_strips(SumTile<Sum, (Rows < 64 ? Rows : 64) / 8>& tile,
                                                       const Sum (&sums)[Strips][Groups][4], int first_row, int first_x,
                                                       const Element& element) {
    constexpr int kAtOnce = Rows < 64 ? Rows : 64;
    const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
    for (int begin = 0; begin < Rows; begin += kAtOnce) {
        __syncthreads();
#pragma unroll
        for (int group = 0; group < Groups; ++group) {
            const int row_of_x = first_x + 8 * group - begin;
            if (row_of_x < 0 || row_of_x >= kAtOnce) continue;
#pragma unroll
            for (int strip = 0; strip < Strips; ++strip)
#pragma unroll
                for (int e = 0; e < 4; ++e)
                    tile.at[row_of_x + lane % 4 * 2 + (e & 1)][first_row + 16 * strip + lane / 4 + 8 * (e >> 1)] =
                        sums[strip][group][e];
        }
        __syncthreads();
#pragma unroll 1
        for (int i = static_cast<int>(threadIdx.x); i < kAtOnce * kSumColumns; i += Threads)
            element(begin + i / kSumColumns, i % kSumColumns, tile.at[i / kSumColumns][i % kSumColumns]);
    }
}

}  // namespace halfbyte::cuda
