// Clusters: blocks that run at the same time and reach each other's shared memory. Hopper. Launch::cluster says how many.
//
// A block may touch another's shared memory after a cluster barrier has shown that the other one has begun, and must be followed by
// one before the other may leave:
//
//   write own shared memory; cluster_arrive(); cluster_wait();
//   ... load_cluster<float>(cluster_address(&shared.sum, other)) ...
//   cluster_arrive(); cluster_wait();
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx/since.cuh"
#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

// This block's number among those of its cluster, and how many they are; 0 and 1 without a cluster.
__device__ __forceinline__ uint32_t cluster_rank() {
    uint32_t rank = 0;
    HALFBYTE_SINCE(90, asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank)););
    return rank;
}

__device__ __forceinline__ uint32_t cluster_size() {
    uint32_t size = 0;
    HALFBYTE_SINCE(90, asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(size)););
    return size;
}

// ---- the barrier of all threads of the cluster; whole warps, each arrival followed by a wait -----------------------------------

// What this thread did before is visible to whoever waits.
__device__ __forceinline__ void cluster_arrive() {
    HALFBYTE_SINCE(90, asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"););
}

// Shows that this block has begun, and nothing else: what this thread did before is visible to nobody, so it waits for no memory.
__device__ __forceinline__ void cluster_arrive_relaxed() {
    HALFBYTE_SINCE(90, asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory"););
}

__device__ __forceinline__ void cluster_wait() {
    HALFBYTE_SINCE(90, asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"););
}

// ---- another block's shared memory ---------------------------------------------------------------------------------------------

// Where block `rank` of the cluster has what this block has at `shared`. Bytes may be added to it.
__device__ __forceinline__ uint32_t cluster_address(const void* shared, uint32_t rank) {
    uint32_t address = 0;
    HALFBYTE_SINCE(90, asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(address) : "r"(shared_address(shared)), "r"(rank)););
    return address;
}

template <class T>
__device__ T load_cluster(uint32_t address);

template <>
__device__ __forceinline__ float load_cluster<float>(uint32_t address) {
    float v = 0;
    HALFBYTE_SINCE(90, asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(v) : "r"(address) : "memory"););
    return v;
}

template <>
__device__ __forceinline__ uint32_t load_cluster<uint32_t>(uint32_t address) {
    uint32_t v = 0;
    HALFBYTE_SINCE(90, asm volatile("ld.shared::cluster.u32 %0, [%1];" : "=r"(v) : "r"(address) : "memory"););
    return v;
}

template <>
__device__ __forceinline__ float4 load_cluster<float4>(uint32_t address) {
    float4 v{};
    HALFBYTE_SINCE(90, asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                                    : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                                    : "r"(address)
                                    : "memory"););
    return v;
}

__device__ __forceinline__ void store_cluster(uint32_t address, float v) {
    HALFBYTE_SINCE(90, asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(address), "f"(v) : "memory"););
}

__device__ __forceinline__ void store_cluster(uint32_t address, uint32_t v) {
    HALFBYTE_SINCE(90, asm volatile("st.shared::cluster.u32 [%0], %1;" ::"r"(address), "r"(v) : "memory"););
}

__device__ __forceinline__ void store_cluster(uint32_t address, float4 v) {
    HALFBYTE_SINCE(
        90, asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(address), "f"(v.x), "f"(v.y), "f"(v.z), "f"(v.w)
                         : "memory"););
}

// ---- another block's mbarrier --------------------------------------------------------------------------------------------------

// One arrival at the barrier at `address`; what this thread did before is visible to whoever waits by mbarrier_wait_cluster.
__device__ __forceinline__ void mbarrier_arrive_cluster(uint32_t address) {
    HALFBYTE_SINCE(90, asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(address) : "memory"););
}

// The same by a thread that says no more than that it has read what lies in shared memory, to whom mbarrier_wait listens: what it
// wrote is not made visible. That would take a fence for the whole GPU before each arrival.
__device__ __forceinline__ void mbarrier_arrive_cluster_as_reader(uint32_t address) {
    HALFBYTE_SINCE(90, asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(address) : "memory"););
}

// mbarrier_try_wait of a barrier in this block's shared memory at which other blocks arrive.
__device__ __forceinline__ bool mbarrier_try_wait_cluster(uint64_t* barrier, uint32_t parity) {
    uint32_t done = 0;
    HALFBYTE_SINCE(90, asm volatile("{\n"
                                    ".reg .pred done;\n"
                                    "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 done, [%1], %2;\n"
                                    "selp.u32 %0, 1, 0, done;\n"
                                    "}"
                                    : "=r"(done)
                                    : "r"(shared_address(barrier)), "r"(parity)
                                    : "memory"););
    return done != 0;
}

__device__ __forceinline__ void mbarrier_wait_cluster(uint64_t* barrier, uint32_t parity) {
    while (!mbarrier_try_wait_cluster(barrier, parity)) {
    }
}

}  // namespace halfbyte::cuda::ptx
