// mbarrier: a barrier in shared memory that counts arrivals and bytes. Hopper.
//
// A phase completes when `count` arrivals have been made and as many bytes have come as were expected; then the next begins.
// Whoever waits names the parity of the phase: 0 for the first, 1 for the second, 0 again.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx/since.cuh"
#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

// By one thread; then fence_mbarrier_init, then a block barrier, before anyone uses it.
__device__ __forceinline__ void mbarrier_init(uint64_t* barrier, uint32_t count) {
    HALFBYTE_SINCE(90, asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count)
                                    : "memory"););
}

// Makes the initialization visible to bulk copies.
__device__ __forceinline__ void fence_mbarrier_init() {
    HALFBYTE_SINCE(90, asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"););
}

__device__ __forceinline__ void mbarrier_invalidate(uint64_t* barrier) {
    HALFBYTE_SINCE(90, asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory"););
}

__device__ __forceinline__ void mbarrier_arrive(uint64_t* barrier) {
    HALFBYTE_SINCE(90, asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory"););
}

// One arrival, and the phase expects `bytes` more.
__device__ __forceinline__ void mbarrier_arrive_expect(uint64_t* barrier, uint32_t bytes) {
    HALFBYTE_SINCE(90,
                   asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
                                : "memory"););
}

// One arrival, when this thread's cp.async copies so far have landed.
__device__ __forceinline__ void mbarrier_arrive_after_copies(uint64_t* barrier) {
    HALFBYTE_SINCE(90, asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(barrier))
                                    : "memory"););
}

// Whether the phase of `parity` has completed; may sleep for a while before saying no.
__device__ __forceinline__ bool mbarrier_try_wait(uint64_t* barrier, uint32_t parity) {
    uint32_t done = 0;
    HALFBYTE_SINCE(90, asm volatile("{\n"
                                    ".reg .pred done;\n"
                                    "mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n"
                                    "selp.u32 %0, 1, 0, done;\n"
                                    "}"
                                    : "=r"(done)
                                    : "r"(shared_address(barrier)), "r"(parity)
                                    : "memory"););
    return done != 0;
}

__device__ __forceinline__ void mbarrier_wait(uint64_t* barrier, uint32_t parity) {
    while (!mbarrier_try_wait(barrier, parity)) {
    }
}

// The same question without sleeping.
__device__ __forceinline__ bool mbarrier_test_wait(uint64_t* barrier, uint32_t parity) {
    uint32_t done = 0;
    HALFBYTE_SINCE(90, asm volatile("{\n"
                                    ".reg .pred done;\n"
                                    "mbarrier.test_wait.parity.shared::cta.b64 done, [%1], %2;\n"
                                    "selp.u32 %0, 1, 0, done;\n"
                                    "}"
                                    : "=r"(done)
                                    : "r"(shared_address(barrier)), "r"(parity)
                                    : "memory"););
    return done != 0;
}

// What this thread has written to shared memory becomes visible to TMA and wgmma. By the writer, before the barrier.
__device__ __forceinline__ void fence_proxy_async() {
    HALFBYTE_SINCE(90, asm volatile("fence.proxy.async.shared::cta;" ::: "memory"););
}

}  // namespace halfbyte::cuda::ptx
