// Bulk copies by the tensor memory accelerator. Hopper. One thread issues them.
//
// Loads count their bytes towards an mbarrier, on which the readers wait. Stores read shared memory that was fenced
// (fence_proxy_async); bulk_wait_read<N> returns when all but the thread's N latest groups have read theirs, so that it may be
// overwritten.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx/since.cuh"
#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

// ---- contiguous bytes: addresses and size are multiples of 16 ------------------------------------------------------------------

__device__ __forceinline__ void bulk_load(void* to, const void* from, uint32_t bytes, uint64_t* barrier) {
    HALFBYTE_SINCE(90, asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                                        shared_address(to)),
                                    "l"(from), "r"(bytes), "r"(shared_address(barrier))
                                    : "memory"););
}

__device__ __forceinline__ void bulk_load(void* to, const void* from, uint32_t bytes, uint64_t* barrier, uint64_t policy) {
    HALFBYTE_SINCE(
        90, asm volatile(
                "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;" ::"r"(
                    shared_address(to)),
                "l"(from), "r"(bytes), "r"(shared_address(barrier)), "l"(policy)
                : "memory"););
}

__device__ __forceinline__ void bulk_store(void* to, const void* from, uint32_t bytes) {
    HALFBYTE_SINCE(90, asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(to),
                                    "r"(shared_address(from)), "r"(bytes)
                                    : "memory"););
}

// ---- boxes of a tensor ---------------------------------------------------------------------------------------------------------
// Coordinate 0 is the contiguous one. What lies outside the tensor reads as zero and is not written.

__device__ __forceinline__ void tensor_prefetch(const CUtensorMap* map) {
    HALFBYTE_SINCE(90, asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory"););
}

__device__ __forceinline__ void tensor_load(void* to, const CUtensorMap* map, int32_t x, int32_t y, uint64_t* barrier) {
    HALFBYTE_SINCE(
        90, asm volatile(
                "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
                    shared_address(to)),
                "l"(map), "r"(x), "r"(y), "r"(shared_address(barrier))
                : "memory"););
}

__device__ __forceinline__ void tensor_load(void* to, const CUtensorMap* map, int32_t x, int32_t y, uint64_t* barrier,
                                            uint64_t policy) {
    HALFBYTE_SINCE(
        90, asm volatile(
                "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1, {%2, %3}], "
                "[%4], %5;" ::"r"(shared_address(to)),
                "l"(map), "r"(x), "r"(y), "r"(shared_address(barrier)), "l"(policy)
                : "memory"););
}

// To those blocks of the cluster whose bits are set: to where `to` lies in each, counted by the barrier that lies where `barrier`
// does. Bytes may come to a barrier before it expects them, in the same phase.
__device__ __forceinline__ void tensor_load_multicast(void* to, const CUtensorMap* map, int32_t x, int32_t y, uint64_t* barrier,
                                                      uint16_t blocks) {
    HALFBYTE_SINCE(90,
                   asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
                                "[%0], [%1, {%2, %3}], [%4], %5;" ::"r"(shared_address(to)),
                                "l"(map), "r"(x), "r"(y), "r"(shared_address(barrier)), "h"(blocks)
                                : "memory"););
}

__device__ __forceinline__ void tensor_store(const CUtensorMap* map, int32_t x, int32_t y, const void* from) {
    HALFBYTE_SINCE(90, asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];" ::"l"(map),
                                    "r"(x), "r"(y), "r"(shared_address(from))
                                    : "memory"););
}

// ---- groups of stores ----------------------------------------------------------------------------------------------------------

__device__ __forceinline__ void bulk_commit() { HALFBYTE_SINCE(90, asm volatile("cp.async.bulk.commit_group;" ::: "memory");); }

// Shared memory has been read.
template <int Groups>
__device__ __forceinline__ void bulk_wait_read() {
    HALFBYTE_SINCE(90, asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Groups) : "memory"););
}

// Global memory has been written.
template <int Groups>
__device__ __forceinline__ void bulk_wait() {
    HALFBYTE_SINCE(90, asm volatile("cp.async.bulk.wait_group %0;" ::"n"(Groups) : "memory"););
}

}  // namespace halfbyte::cuda::ptx
