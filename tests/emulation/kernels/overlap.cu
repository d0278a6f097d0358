#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "kernels.h"

using namespace halfbyte::cuda;

namespace {

__global__ void double_kernel(const int32_t* input, int32_t* scratch) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    scratch[i] = 2 * input[i];
    ptx::grid_dependency_launch();
}

__global__ void add_kernel(int32_t* input, const int32_t* addend, const int32_t* scratch, int32_t* output, int n,
                           bool every_thread_waits) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int32_t mine = addend[i];  // the first kernel has nothing to do with it
    if (every_thread_waits || threadIdx.x == 0) ptx::grid_dependency_wait();
    if (!every_thread_waits) __syncthreads();
    output[i] = scratch[n - 1 - i] + mine;
    input[i] = 0;
}

}  // namespace

cudaError_t double_and_add(int32_t* input, const int32_t* addend, int32_t* scratch, int32_t* output, int n,
                           bool every_thread_waits) {
    const auto blocks = static_cast<unsigned>(n / 64);
    const cudaError_t status = launch({.grid = blocks, .block = 64}, double_kernel, input, scratch);
    if (status != cudaSuccess) return status;
    return launch({.grid = blocks, .block = 64, .overlaps_predecessor = true}, add_kernel, input, addend, scratch, output, n,
                  every_thread_waits);
}
