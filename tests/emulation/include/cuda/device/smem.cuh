// Shadows native/cuda/device/smem.cuh: the block's shared memory is a window of the emulator.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace halfbyte::cuda {

inline constexpr int kSharedAlignment = 1024;

template <class T>
T& shared_memory() {
    static_assert(alignof(T) <= kSharedAlignment);
    return *static_cast<T*>(emulation::dynamic_shared());
}

inline uint32_t shared_address(const void* p) { return emulation::shared_address(p); }

}  // namespace halfbyte::cuda
