// Named barriers of a block, and the overlap of a kernel with the one before it.
#pragma once

#include <cuda_runtime.h>

#include "cuda/device/ptx/since.cuh"

namespace halfbyte::cuda::ptx {

// `threads` threads (a multiple of 32) meet at barrier 1 to 15; 0 is __syncthreads.
__device__ __forceinline__ void barrier_sync(unsigned barrier, unsigned threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// Counts as having arrived, without waiting.
__device__ __forceinline__ void barrier_arrive(unsigned barrier, unsigned threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// Waits until the grid before this one on the stream is done and its results are visible. No effect unless the launch overlaps it.
__device__ __forceinline__ void grid_dependency_wait() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Lets the next grid on the stream begin, if it was launched to overlap this one, as soon as a thread of every block has called
// this or the block has left. It says nothing of results: whoever wants them waits.
__device__ __forceinline__ void grid_dependency_launch() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

}  // namespace halfbyte::cuda::ptx
