// Shadows native/cuda/device/ptx/mbarrier.cuh. A thread that waits does not spin but sleeps until the phase completes, so that
// waiting for ever is seen as the deadlock it is.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

inline void mbarrier_init(uint64_t* barrier, uint32_t count, HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::mbarrier_init(barrier, count, where);
}
inline void fence_mbarrier_init(HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::mbarrier_fence();
}
inline void mbarrier_invalidate(uint64_t* barrier, HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::mbarrier_invalidate(barrier, where);
}
inline void mbarrier_arrive(uint64_t* barrier, HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::mbarrier_arrive(barrier, where);
}
inline void mbarrier_arrive_expect(uint64_t* barrier, uint32_t bytes, HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::mbarrier_expect_bytes(barrier, bytes, where);
    emulation::mbarrier_arrive(barrier, where);
}
inline void mbarrier_arrive_after_copies(uint64_t* barrier, HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::copy_async_arrive(barrier, where);
}
inline bool mbarrier_try_wait(uint64_t* barrier, uint32_t parity, HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::mbarrier_wait(barrier, parity, where);
    return true;
}
inline void mbarrier_wait(uint64_t* barrier, uint32_t parity, HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::mbarrier_wait(barrier, parity, where);
}
inline bool mbarrier_test_wait(uint64_t* barrier, uint32_t parity, HALFBYTE_HERE) {
    emulation::require(90, where);
    return emulation::mbarrier_test(barrier, parity, where);
}
inline void fence_proxy_async(HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::proxy_fence();
}

}  // namespace halfbyte::cuda::ptx
