// A ring of stages in shared memory between those who fill them and those who use them. Hopper.
//
//   filling:  ring.wait_empty(at); ring.expect(at, bytes); ptx::tensor_load(..., ring.filled(at)); at.advance();
//             or, for what threads write themselves: ... ptx::fence_proxy_async(); ring.arrive_filled(at);
//   using:    ring.wait_filled(at); ... ring.release(at); at.advance();
//
// Each side goes round with a position of its own.
//
// In a cluster, blocks may fill each other's stages by multicast: each has a ring in the same place, goes through the same steps,
// and expects all the bytes of its own stage. A stage is filled in all blocks or in none, so it is empty when the users of all of
// them have released it, and each of them tells each block. Before the first and after the last step the cluster meets.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx/cluster.cuh"
#include "cuda/device/ptx/mbarrier.cuh"

namespace halfbyte::cuda {

// Which stage comes next, and which time round it is: the parity that its barriers will have completed.
template <int Stages>
struct RingPosition {
    int stage = 0;
    uint32_t parity = 0;

    __device__ __forceinline__ void advance() {
        if (++stage == Stages) stage = 0, parity ^= 1;
    }
};

template <int Stages>
struct StageRing {
    using Position = RingPosition<Stages>;
    uint64_t full[Stages], empty[Stages];

    // By one thread; a block barrier must follow. `fillers` and `users`: arrivals that make a stage full, and empty again.
    __device__ __forceinline__ void init(uint32_t fillers, uint32_t users) {
        for (int i = 0; i < Stages; ++i) {
            ptx::mbarrier_init(&full[i], fillers);
            ptx::mbarrier_init(&empty[i], users);
        }
        ptx::fence_mbarrier_init();
    }

    // The first time round all stages are empty: the phase before the first counts as completed.
    __device__ __forceinline__ void wait_empty(Position at) { ptx::mbarrier_wait(&empty[at.stage], at.parity ^ 1); }
    __device__ __forceinline__ uint64_t* filled(Position at) { return &full[at.stage]; }
    __device__ __forceinline__ void expect(Position at, uint32_t bytes) { ptx::mbarrier_arrive_expect(&full[at.stage], bytes); }
    __device__ __forceinline__ void arrive_filled(Position at) { ptx::mbarrier_arrive(&full[at.stage]); }

    __device__ __forceinline__ void wait_filled(Position at) { ptx::mbarrier_wait(&full[at.stage], at.parity); }
    __device__ __forceinline__ void release(Position at) { ptx::mbarrier_arrive(&empty[at.stage]); }
    // Where users tell a block of the cluster, and that they do.
    __device__ __forceinline__ uint32_t releases_of(uint32_t block) const { return ptx::cluster_address(empty, block); }
    __device__ static __forceinline__ void release(Position at, uint32_t releases) {
        ptx::mbarrier_arrive_cluster_as_reader(releases + static_cast<uint32_t>(at.stage * sizeof(uint64_t)));
    }
};

}  // namespace halfbyte::cuda
