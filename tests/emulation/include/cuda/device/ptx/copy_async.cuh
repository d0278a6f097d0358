// Shadows native/cuda/device/ptx/copy_async.cuh.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

template <int Bytes>
inline void copy_async(void* to, const void* from, uint32_t bytes_read = Bytes, HALFBYTE_HERE) {
    static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
    emulation::require(80, where);
    emulation::copy_async(to, from, Bytes, bytes_read, where);
}
inline void copy_async_streaming(void* to, const void* from, uint32_t bytes_read = 16, HALFBYTE_HERE) {
    emulation::require(80, where);
    emulation::copy_async(to, from, 16, bytes_read, where);
}
inline void copy_async_streaming(void* to, const void* from, uint32_t bytes_read, uint64_t, HALFBYTE_HERE) {
    emulation::require(80, where);
    emulation::copy_async(to, from, 16, bytes_read, where);
}
inline void copy_async_commit(HALFBYTE_HERE) {
    emulation::require(80, where);
    emulation::copy_async_commit();
}
template <int Groups>
inline void copy_async_wait(HALFBYTE_HERE) {
    emulation::require(80, where);
    emulation::copy_async_wait(Groups);
}
inline void copy_async_wait_all(HALFBYTE_HERE) {
    emulation::require(80, where);
    emulation::copy_async_wait_all();
}

}  // namespace halfbyte::cuda::ptx
