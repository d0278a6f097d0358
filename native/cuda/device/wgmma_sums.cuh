// Sums of a tile (wgmma_tile.cuh) whose depth is split over the blocks of a cluster: added in their shared memory.
//
//   sums.hand_over(...);  cluster_meet();  sums.add(...);  cluster_meet();
//
// Each block leaves its sums in its own shared memory, as its threads hold them; then each reads sixteen rows of x at a time of all
// blocks, in turns, adds them in ascending order of the parts, as add_partials() does, and stores them. Per block that is a write
// and, whatever the number of blocks, a read of the whole tile: 32 KB for each 64 rows of x, most of it from other multiprocessors.
// Threads go side by side, 16 bytes each, so that banks are touched once.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/cluster_sums.cuh"
#include "cuda/device/wgmma_tile.cuh"

namespace halfbyte::cuda {

template <int Rows>
class WgmmaSums {
   public:
    // By all consumers, where nobody reads any more what lay here before.
    __device__ __forceinline__ void hand_over(const float (&sums)[Rows / 2]) {
#pragma unroll
        for (int i = 0; i < Rows / 8; ++i)
            at_[i][threadIdx.x] = make_float4(sums[4 * i], sums[4 * i + 1], sums[4 * i + 2], sums[4 * i + 3]);
    }

    // y for those rows of x that this block finishes, and this warpgroup's 64 features, from first_n on.
    template <class T>
    __device__ __forceinline__ void add(WgmmaStaging<T>& staging, const WgmmaWork& work, const ProductOutput& output,
                                        int64_t first_m, int64_t M, int64_t first_n, int64_t N) const {
        const auto splits = static_cast<uint32_t>(work.splits);
#pragma unroll 1
        for (uint32_t turn = ptx::cluster_rank() / work.together; turn < Rows / 16 && first_m + turn * 16 < M; turn += splits) {
            float total[8] = {};
#pragma unroll 2
            for (uint32_t split = 0; split < splits; ++split) {
                const uint32_t from = ptx::cluster_address(&at_[2 * turn][threadIdx.x], split * work.together + work.place());
                const auto low = ptx::load_cluster<float4>(from), high = ptx::load_cluster<float4>(from + sizeof at_[0]);
                total[0] += low.x, total[1] += low.y, total[2] += low.z, total[3] += low.w;
                total[4] += high.x, total[5] += high.y, total[6] += high.z, total[7] += high.w;
            }
            store_sums(staging, total, output, first_m + turn * 16, M, first_n, N);
        }
    }

   private:
    float4 at_[Rows / 8][kWgmmaConsumers];
};

}  // namespace halfbyte::cuda
