// Accesses out of bounds, before their data is there, or in no order.
#include "broken.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/ptx/mbarrier.cuh"
#include "cuda/device/ptx/tma.cuh"
#include "cuda/device/smem.cuh"

using namespace halfbyte::cuda;

namespace {

struct Words {
    int32_t word[32];
};

__global__ void shared_out_of_bounds_kernel(int32_t* output) {
    Words& shared = shared_memory<Words>();
    shared.word[threadIdx.x + 1] = 1;
    __syncthreads();
    output[threadIdx.x] = 1;
}

__global__ void global_read_out_of_bounds_kernel(const int32_t* input, int32_t* output, int n) {
    const int i = static_cast<int>(threadIdx.x);
    if (i < n) output[i] = input[i + 1];
}

__global__ void global_write_out_of_bounds_kernel(uint8_t* output, int n) {
    for (int i = static_cast<int>(threadIdx.x); i <= n; i += 32) output[i] = 1;
}

__global__ void misaligned_vector_kernel(const float* input, float* output) {
    *reinterpret_cast<float4*>(output) = *reinterpret_cast<const float4*>(input + 1);
}

__global__ void prefetch_out_of_bounds_kernel(const int32_t* input, int32_t n, int32_t* output) {
    ptx::prefetch_l2(input + n);
    output[threadIdx.x] = 1;
}

__global__ void uninitialized_shared_kernel(int32_t* output) {
    Words& shared = shared_memory<Words>();
    if (threadIdx.x < 31) shared.word[threadIdx.x] = 1;
    __syncthreads();
    output[threadIdx.x] = shared.word[threadIdx.x];
}

__global__ void copy_read_too_early_kernel(const int32_t* input, int32_t* output) {
    Words& shared = shared_memory<Words>();
    ptx::copy_async<4>(&shared.word[threadIdx.x], input + threadIdx.x);
    ptx::copy_async_commit();
    ptx::copy_async_wait<1>();
    output[threadIdx.x] = shared.word[threadIdx.x];
}

__global__ void copy_read_by_a_neighbour_kernel(const int32_t* input, int32_t* output) {
    Words& shared = shared_memory<Words>();
    shared.word[threadIdx.x] = 0;
    __syncthreads();
    ptx::copy_async<4>(&shared.word[threadIdx.x], input + threadIdx.x);
    ptx::copy_async_commit();
    ptx::copy_async_wait<0>();
    output[threadIdx.x] = shared.word[31 - threadIdx.x];
}

__global__ void wrong_fragment_map_kernel(const __nv_bfloat16* a, const __nv_bfloat16* b, float* d) {
    const unsigned g = threadIdx.x / 4, t = threadIdx.x % 4;
    const auto* words_a = reinterpret_cast<const uint32_t*>(a);  // two elements of k each
    const auto* words_b = reinterpret_cast<const uint32_t*>(b);
    const uint32_t fragment_a[4] = {words_a[g * 8 + t], words_a[(g + 8) * 8 + t], words_a[g * 8 + t + 4],
                                    words_a[(g + 8) * 8 + t + 4]};
    const uint32_t fragment_b[2] = {words_b[g * 8 + 2 * t], words_b[g * 8 + 2 * t + 1]};  // as if k were 4t + 2r, not 2t + 8r
    float accumulators[4] = {};
    ptx::mma_m16n8k16_bf16(accumulators, fragment_a, fragment_b);
    for (unsigned e = 0; e < 4; ++e) d[(g + 8 * (e >> 1)) * 8 + 2 * t + (e & 1)] = accumulators[e];
}

__global__ void order_dependence_kernel(float* sum) { atomicAdd(sum, 1.0f / static_cast<float>(threadIdx.x + 1)); }

__global__ void bulk_copy_read_too_early_kernel(const int32_t* input, int32_t* output) {
    struct Shared {
        alignas(16) int32_t word[32];
        uint64_t barrier;
    };
    Shared& shared = shared_memory<Shared>();
    if (threadIdx.x == 0) {
        ptx::mbarrier_init(&shared.barrier, 1);
        ptx::fence_mbarrier_init();
        ptx::mbarrier_arrive_expect(&shared.barrier, sizeof shared.word);
        ptx::bulk_load(shared.word, input, sizeof shared.word, &shared.barrier);
    }
    __syncthreads();
    output[threadIdx.x] = shared.word[threadIdx.x];
}

__global__ void bulk_copy_without_fence_kernel(const int32_t* input, int32_t* output) {
    struct Shared {
        alignas(16) int32_t word[32];
        uint64_t barrier;
    };
    Shared& shared = shared_memory<Shared>();
    if (threadIdx.x == 0) ptx::mbarrier_init(&shared.barrier, 1);
    __syncthreads();
    if (threadIdx.x == 0) {
        ptx::mbarrier_arrive_expect(&shared.barrier, sizeof shared.word);
        ptx::bulk_load(shared.word, input, sizeof shared.word, &shared.barrier);
    }
    ptx::mbarrier_wait(&shared.barrier, 0);
    output[threadIdx.x] = shared.word[threadIdx.x];
}

__global__ void arrives_too_often_kernel(int32_t* output) {
    struct Shared {
        uint64_t barrier;
    };
    Shared& shared = shared_memory<Shared>();
    if (threadIdx.x == 0) {
        ptx::mbarrier_init(&shared.barrier, 1);
        ptx::mbarrier_arrive_expect(&shared.barrier, 16);
        ptx::mbarrier_arrive(&shared.barrier);
    }
    output[threadIdx.x] = 1;
}

__global__ void bulk_store_without_fence_kernel(int32_t* output) {
    Words& shared = shared_memory<Words>();
    shared.word[threadIdx.x] = static_cast<int32_t>(threadIdx.x);
    __syncthreads();
    if (threadIdx.x == 0) {
        ptx::bulk_store(output, shared.word, sizeof shared.word);
        ptx::bulk_commit();
        ptx::bulk_wait<0>();
    }
}

}  // namespace

cudaError_t shared_out_of_bounds(int32_t* output) {
    return launch({.block = 32, .shared_bytes = sizeof(Words)}, shared_out_of_bounds_kernel, output);
}
cudaError_t global_read_out_of_bounds(const int32_t* input, int32_t* output, int n) {
    return launch({.block = 32}, global_read_out_of_bounds_kernel, input, output, n);
}
cudaError_t global_write_out_of_bounds(uint8_t* output, int n) {
    return launch({.block = 32}, global_write_out_of_bounds_kernel, output, n);
}
cudaError_t misaligned_vector(const float* input, float* output) {
    return launch({.block = 1}, misaligned_vector_kernel, input, output);
}
cudaError_t prefetch_out_of_bounds(const int32_t* input, int32_t n, int32_t* output) {
    return launch({.block = 32}, prefetch_out_of_bounds_kernel, input, n, output);
}
cudaError_t uninitialized_shared(int32_t* output) {
    return launch({.block = 32, .shared_bytes = sizeof(Words)}, uninitialized_shared_kernel, output);
}
cudaError_t copy_read_too_early(const int32_t* input, int32_t* output) {
    return launch({.block = 32, .shared_bytes = sizeof(Words)}, copy_read_too_early_kernel, input, output);
}
cudaError_t copy_read_by_a_neighbour(const int32_t* input, int32_t* output) {
    return launch({.block = 32, .shared_bytes = sizeof(Words)}, copy_read_by_a_neighbour_kernel, input, output);
}
cudaError_t wrong_fragment_map(const __nv_bfloat16* a, const __nv_bfloat16* b, float* d) {
    return launch({.block = 32}, wrong_fragment_map_kernel, a, b, d);
}
cudaError_t order_dependence(float* sum) { return launch({.block = 64}, order_dependence_kernel, sum); }
cudaError_t bulk_copy_read_too_early(const int32_t* input, int32_t* output) {
    return launch({.block = 32, .shared_bytes = 136}, bulk_copy_read_too_early_kernel, input, output);
}
cudaError_t bulk_copy_without_fence(const int32_t* input, int32_t* output) {
    return launch({.block = 32, .shared_bytes = 136}, bulk_copy_without_fence_kernel, input, output);
}
cudaError_t arrives_too_often(int32_t* output) {
    return launch({.block = 32, .shared_bytes = 8}, arrives_too_often_kernel, output);
}
cudaError_t bulk_store_without_fence(int32_t* output) {
    return launch({.block = 32, .shared_bytes = sizeof(Words)}, bulk_store_without_fence_kernel, output);
}
