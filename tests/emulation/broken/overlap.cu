// Kernels that begin while the one before them runs, and do not wait for it.
#include "broken.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"

using namespace halfbyte::cuda;

namespace {

__global__ void first_kernel(const int32_t* input, int32_t* output) {
    output[threadIdx.x] = input[threadIdx.x];
    ptx::grid_dependency_launch();
}

__global__ void overlap_reads_kernel(int32_t* results) {
    if (threadIdx.x != 20) ptx::grid_dependency_wait();
    results[32 + threadIdx.x] = results[threadIdx.x];
}

__global__ void overlap_overwrites_kernel(int32_t* input) {
    input[threadIdx.x] = 1;
    ptx::grid_dependency_wait();
}

__global__ void overlap_leaves_kernel(int32_t*) {
    if (threadIdx.x >= 20) return;
    ptx::grid_dependency_wait();
}

__global__ void overlap_reads_only_kernel(int32_t* results) {
    ptx::grid_dependency_wait();
    results[32 + threadIdx.x] = __ldg(results + threadIdx.x);
}

__global__ void reads_only_what_it_writes_kernel(int32_t* results) {
    results[threadIdx.x] = 1;
    __syncthreads();
    results[32 + threadIdx.x] = __ldg(results + 31 - threadIdx.x);
}

cudaError_t in_turn_overlapping(void (*second)(int32_t*), const int32_t* input, int32_t* output, int32_t* touched) {
    const cudaError_t status = launch({.block = 32}, first_kernel, input, output);
    return status != cudaSuccess ? status : launch({.block = 32, .overlaps_predecessor = true}, second, touched);
}

}  // namespace

cudaError_t overlap_reads_alone(int32_t* output) {
    return launch({.block = 32, .overlaps_predecessor = true}, overlap_reads_kernel, output);
}
cudaError_t overlap_reads_only_alone(int32_t* output) {
    return launch({.block = 32, .overlaps_predecessor = true}, overlap_reads_only_kernel, output);
}
cudaError_t overlap_reads(const int32_t* input, int32_t* output) {
    return in_turn_overlapping(overlap_reads_kernel, input, output, output);
}
cudaError_t overlap_reads_only(const int32_t* input, int32_t* output) {
    return in_turn_overlapping(overlap_reads_only_kernel, input, output, output);
}
cudaError_t reads_only_what_it_writes(int32_t* output) { return launch({.block = 32}, reads_only_what_it_writes_kernel, output); }
cudaError_t overlap_overwrites(int32_t* input, int32_t* output) {
    return in_turn_overlapping(overlap_overwrites_kernel, input, output, input);
}
cudaError_t overlap_leaves(const int32_t* input, int32_t* output) {
    return in_turn_overlapping(overlap_leaves_kernel, input, output, output);
}
