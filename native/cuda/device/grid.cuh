// What launchers ask before they launch.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

namespace halfbyte::cuda {

inline bool is_aligned(const void* p, uintptr_t alignment) { return reinterpret_cast<uintptr_t>(p) % alignment == 0; }

// Blocks for a kernel that walks through `tiles` with the stride of its grid: enough to fill the device, so that what a block
// prepares serves many tiles.
inline cudaError_t persistent_grid(int64_t tiles, int blocks_per_multiprocessor, dim3* grid) {
    int device = 0, multiprocessors = 0;
    cudaError_t status = cudaGetDevice(&device);
    if (status == cudaSuccess) status = cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
    *grid = dim3(static_cast<unsigned>(std::clamp<int64_t>(tiles, 1, int64_t{multiprocessors} * blocks_per_multiprocessor)));
    return status;
}

}  // namespace halfbyte::cuda
