// Missing, divergent and misplaced barriers.
#include "broken.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/ptx/mbarrier.cuh"
#include "cuda/device/smem.cuh"

using namespace halfbyte::cuda;

namespace {

struct Words {
    int32_t word[64];
};

__global__ void missing_barrier_kernel(const int32_t* input, int32_t* output) {
    Words& shared = shared_memory<Words>();
    shared.word[threadIdx.x] = 0;
    __syncthreads();
    shared.word[threadIdx.x] = input[threadIdx.x];
    output[threadIdx.x] = shared.word[63 - threadIdx.x];
}

__global__ void missing_second_barrier_kernel(const int32_t* input, int32_t* output) {
    Words& shared = shared_memory<Words>();
    int32_t sum = 0;
    for (int round = 0; round < 4; ++round) {
        shared.word[threadIdx.x] = input[threadIdx.x] + round;
        __syncthreads();
        sum += shared.word[(threadIdx.x + 1) % 64];
    }
    output[threadIdx.x] = sum;
}

__global__ void missing_warp_barrier_kernel(const int32_t* input, int32_t* output) {
    Words& shared = shared_memory<Words>();
    shared.word[threadIdx.x] = input[threadIdx.x];
    __shfl_sync(0xffffffffu, 0, 0);  // brings the lanes together, but promises nothing about memory
    output[threadIdx.x] = shared.word[31 - threadIdx.x];
}

__global__ void barrier_in_a_branch_kernel(int32_t* output) {
    if (threadIdx.x < 32) __syncthreads();
    output[threadIdx.x] = 1;
}

__global__ void barriers_of_two_branches_kernel(int32_t* output) {
    if (threadIdx.x < 32) __syncthreads();
    else __syncthreads();
    output[threadIdx.x] = 1;
}

__global__ void barrier_after_return_kernel(int32_t* output, int n) {
    if (static_cast<int>(threadIdx.x) >= n) return;
    __syncthreads();
    output[threadIdx.x] = 1;
}

__global__ void shuffle_in_a_branch_kernel(int32_t* output) {
    int32_t value = static_cast<int32_t>(threadIdx.x);
    if (threadIdx.x < 16) value = __shfl_xor_sync(0xffffffffu, value, 1);
    output[threadIdx.x] = value;
}

__global__ void shuffle_from_outside_kernel(int32_t* output) {
    if (threadIdx.x < 16) output[threadIdx.x] = __shfl_sync(0x0000ffffu, static_cast<int32_t>(threadIdx.x), 20);
}

__global__ void deadlock_kernel(int32_t* output) {
    if (threadIdx.x < 32) {
        ptx::barrier_sync(1, 64);
        ptx::barrier_arrive(2, 64);
    } else {
        ptx::barrier_sync(2, 64);
        ptx::barrier_arrive(1, 64);
    }
    output[threadIdx.x] = 1;
}

__global__ void deadlock_on_mbarrier_kernel(int32_t* output) {
    struct Shared {
        uint64_t barrier;
    };
    Shared& shared = shared_memory<Shared>();
    if (threadIdx.x == 0) ptx::mbarrier_init(&shared.barrier, 2);
    __syncthreads();
    if (threadIdx.x == 0) ptx::mbarrier_arrive(&shared.barrier);
    ptx::mbarrier_wait(&shared.barrier, 0);
    output[threadIdx.x] = 1;
}

__global__ void endless_loop_kernel(const uint32_t* flag, int32_t* output) {
    while (ptx::load_acquire(flag) == 0) {
    }
    output[threadIdx.x] = 1;
}

}  // namespace

cudaError_t missing_barrier(const int32_t* input, int32_t* output) {
    return launch({.block = 64, .shared_bytes = sizeof(Words)}, missing_barrier_kernel, input, output);
}
cudaError_t missing_second_barrier(const int32_t* input, int32_t* output) {
    return launch({.block = 64, .shared_bytes = sizeof(Words)}, missing_second_barrier_kernel, input, output);
}
cudaError_t missing_warp_barrier(const int32_t* input, int32_t* output) {
    return launch({.block = 32, .shared_bytes = sizeof(Words)}, missing_warp_barrier_kernel, input, output);
}
cudaError_t barrier_in_a_branch(int32_t* output) { return launch({.block = 64}, barrier_in_a_branch_kernel, output); }
cudaError_t barriers_of_two_branches(int32_t* output) { return launch({.block = 64}, barriers_of_two_branches_kernel, output); }
cudaError_t barrier_after_return(int32_t* output, int n) { return launch({.block = 64}, barrier_after_return_kernel, output, n); }
cudaError_t shuffle_in_a_branch(int32_t* output) { return launch({.block = 32}, shuffle_in_a_branch_kernel, output); }
cudaError_t shuffle_from_outside(int32_t* output) { return launch({.block = 32}, shuffle_from_outside_kernel, output); }
cudaError_t deadlock(int32_t* output) { return launch({.block = 64}, deadlock_kernel, output); }
cudaError_t deadlock_on_mbarrier(int32_t* output) {
    return launch({.block = 32, .shared_bytes = 8}, deadlock_on_mbarrier_kernel, output);
}
cudaError_t endless_loop(const uint32_t* flag, int32_t* output) { return launch({.block = 32}, endless_loop_kernel, flag, output); }
