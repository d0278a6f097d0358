// Sums over the blocks of a cluster, in their shared memory: the end of a product whose depth is split over them.
//
// Elements are numbered; runs of 16 go to the blocks in turns, and the block that an element falls to finishes it. Every block
// hands what it has of an element to that one, which adds in ascending order of blocks, as add_partials() does:
//
//   ptx::cluster_arrive_relaxed(); ... ptx::cluster_wait();    all have begun
//   sums.hand_over(element, sum);                              of each element, by one thread
//   cluster_meet();                                            all have handed over
//   for_each_mine(...): sums.total(element)
//
// With two places by turns that is all: whoever meets the others has read what it was handed a turn before. After the last turn a
// block may leave: nobody writes to it any more. An arrival that releases waits for what its thread has under way, stores to y too.
// Hopper; a power of two of blocks, up to eight.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx/cluster.cuh"

namespace halfbyte::cuda {

inline constexpr unsigned kMostBlocksOfCluster = 8;

// Whether so many parts of a product's depth may be blocks of a cluster, which adds their sums.
constexpr bool may_add_in_cluster(int64_t splits) {
    return splits > 1 && splits <= kMostBlocksOfCluster && (splits & (splits - 1)) == 0;
}

__device__ __forceinline__ void cluster_meet() {
    __syncwarp();
    ptx::cluster_arrive();
    ptx::cluster_wait();
}

template <unsigned Elements>
class ClusterSums {
   public:
    __device__ __forceinline__ void hand_over(unsigned element, float sum) {
        const uint32_t to = element / kRun & (blocks() - 1);
        ptx::store_cluster(ptx::cluster_address(&received_[of(ptx::cluster_rank(), element)], to), sum);
    }

    // Of an element that this block finishes.
    __device__ __forceinline__ float total(unsigned element) const {
        float sum = 0.0f;
#pragma unroll 2
        for (unsigned block = 0; block < blocks(); ++block) sum += received_[of(block, element)];
        return sum;
    }

    // Calls f(element) for those of `count` elements that this block finishes, spread over `Threads` threads.
    template <unsigned Threads, class F>
    __device__ static __forceinline__ void for_each_mine(unsigned count, const F& f) {
#pragma unroll 1
        for (unsigned i = threadIdx.x;; i += Threads) {
            const unsigned element = (i / kRun * blocks() + ptx::cluster_rank()) * kRun + i % kRun;
            if (element >= count) break;
            f(element);
        }
    }

   private:
    static constexpr unsigned kRun = 16;
    static_assert(Elements % (kRun * kMostBlocksOfCluster) == 0);

    __device__ static __forceinline__ unsigned blocks() { return ptx::cluster_size(); }
    // Where lies what `block` hands over of an element: each has an equal share of the place.
    __device__ static __forceinline__ unsigned of(unsigned block, unsigned element) {
        const int shift = __ffs(static_cast<int>(blocks())) - 1;
        return block * (Elements >> shift) + (element / kRun >> shift) * kRun + element % kRun;
    }

    float received_[Elements];
};

}  // namespace halfbyte::cuda
