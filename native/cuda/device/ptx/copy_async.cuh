// cp.async: 4, 8 or 16 bytes from global to shared memory, past the registers. Since sm_80.
//
// Of the `Bytes` written, the first `bytes_read` come from `from` and the rest are zero: the way to load a ragged edge. A
// thread's copies form groups by copy_async_commit; copy_async_wait<N> returns when at most its N latest groups are still under
// way, and what has arrived is then visible to that thread; to others after a barrier.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx/since.cuh"
#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

// Through the first-level cache: data that this multiprocessor will want again.
template <int Bytes>
__device__ __forceinline__ void copy_async(void* to, const void* from, uint32_t bytes_read = Bytes) {
    static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
    HALFBYTE_SINCE(80, asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(from),
                                    "n"(Bytes), "r"(bytes_read)
                                    : "memory"););
}

// Past it.
__device__ __forceinline__ void copy_async_streaming(void* to, const void* from, uint32_t bytes_read = 16) {
    HALFBYTE_SINCE(
        80, asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes_read)
                         : "memory"););
}

__device__ __forceinline__ void copy_async_streaming(void* to, const void* from, uint32_t bytes_read, uint64_t policy) {
    HALFBYTE_SINCE(80, asm volatile("cp.async.cg.shared.global.L2::cache_hint [%0], [%1], 16, %2, %3;" ::"r"(shared_address(to)),
                                    "l"(from), "r"(bytes_read), "l"(policy)
                                    : "memory"););
}

__device__ __forceinline__ void copy_async_commit() { HALFBYTE_SINCE(80, asm volatile("cp.async.commit_group;" ::: "memory");); }

template <int Groups>
__device__ __forceinline__ void copy_async_wait() {
    HALFBYTE_SINCE(80, asm volatile("cp.async.wait_group %0;" ::"n"(Groups) : "memory"););
}

__device__ __forceinline__ void copy_async_wait_all() { HALFBYTE_SINCE(80, asm volatile("cp.async.wait_all;" ::: "memory");); }

}  // namespace halfbyte::cuda::ptx
