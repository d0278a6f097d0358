#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/smem.cuh"
#include "kernels.h"

using namespace halfbyte::cuda;

namespace {

__global__ void sum_blocks_kernel(const int32_t* input, int32_t* sums) {
    struct Shared {
        int32_t of_warp[8];
    };
    Shared& shared = shared_memory<Shared>();
    int32_t sum = input[blockIdx.x * blockDim.x + threadIdx.x];
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    if (threadIdx.x % 32 == 0) shared.of_warp[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int warp = 1; warp < 8; ++warp) sum += shared.of_warp[warp];
        sums[blockIdx.x] = sum;
    }
}

__global__ void histogram_kernel(const uint32_t* values, uint32_t* counts, unsigned n) {
    struct Shared {
        uint32_t count[16];
    };
    Shared& shared = shared_memory<Shared>();
    if (threadIdx.x < 16) shared.count[threadIdx.x] = 0;
    __syncthreads();
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&shared.count[values[i]], 1u);
    __syncthreads();
    if (threadIdx.x < 16) atomicAdd(&counts[threadIdx.x], shared.count[threadIdx.x]);
}

__global__ void warp_functions_kernel(uint32_t* results) {
    const unsigned lane = threadIdx.x;
    uint32_t* mine = results + 8 * lane;
    mine[0] = __ballot_sync(0xffffffffu, lane % 3 == 0);
    mine[1] =
        static_cast<uint32_t>(__any_sync(0xffffffffu, lane == 31)) + 2 * static_cast<uint32_t>(__all_sync(0xffffffffu, lane < 31));
    mine[2] = __shfl_sync(0xffffffffu, lane, static_cast<int>(lane + 1), 8);
    mine[3] = __shfl_up_sync(0xffffffffu, lane, 3);
    mine[4] = __shfl_down_sync(0xffffffffu, lane, 3, 16);
    mine[5] = __match_any_sync(0xffffffffu, lane / 4);
    // Half of the warp at a time.
    if (lane < 16) mine[6] = __shfl_xor_sync(0x0000ffffu, lane, 1);
    else mine[6] = __shfl_xor_sync(0xffff0000u, lane, 2);
    __syncwarp();
    mine[7] = ptx::prmt(0x83828180u + lane, 0x07060504u, 0x9d40u) ^ ptx::lop3<(0xf0 & 0xcc) | 0xaa>(lane, 6u, 8u);
}

__global__ void named_barriers_kernel(uint32_t* received, int rounds) {
    struct Shared {
        uint32_t word;
    };
    Shared& shared = shared_memory<Shared>();
    constexpr unsigned kFull = 1, kEmpty = 2;
    if (threadIdx.x < 32) {  // producer
        for (int i = 0; i < rounds; ++i) {
            if (i > 0) ptx::barrier_sync(kEmpty, 64);
            if (threadIdx.x == 0) shared.word = static_cast<uint32_t>(i * i);
            ptx::barrier_arrive(kFull, 64);
        }
    } else {
        for (int i = 0; i < rounds; ++i) {
            ptx::barrier_sync(kFull, 64);
            received[i * 32 + threadIdx.x - 32] = shared.word;
            if (i + 1 < rounds) ptx::barrier_arrive(kEmpty, 64);
        }
    }
}

__global__ void last_block_kernel(uint32_t* ticket, uint32_t* result) {
    if (threadIdx.x == 0 && ptx::add_acquire_release(ticket, 1) == gridDim.x - 1) *result = gridDim.x;
}

// Block b adds b to all that was added before, after block b - 1 has.
__global__ void in_turn_kernel(uint32_t* turn, uint32_t* sums) {
    while (ptx::load_acquire(turn) != blockIdx.x) {  // by all threads
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = blockIdx.x + (blockIdx.x == 0 ? 0 : sums[blockIdx.x - 1]);
        ptx::store_release(turn, blockIdx.x + 1);
    }
}

__global__ void transpose_kernel(const uint32_t* input, uint32_t* output, int pitch) {
    struct Shared {
        uint32_t word[32 * 33];
    };
    Shared& shared = shared_memory<Shared>();
    const unsigned column = threadIdx.x % 32;
    for (unsigned row = threadIdx.x / 32; row < 32; row += 4)
        shared.word[row * static_cast<unsigned>(pitch) + column] = input[row * 32 + column];
    __syncthreads();
    for (unsigned row = threadIdx.x / 32; row < 32; row += 4)
        output[row * 32 + column] = shared.word[column * static_cast<unsigned>(pitch) + row];
}

__global__ void copy_vectors_kernel(const uint4* input, uint4* output, unsigned n) {
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        ptx::store_streaming(output + i, ptx::load_streaming(input + i));
}

__global__ void last_word_kernel(uint32_t* result, unsigned words) {
    uint32_t* shared = &shared_memory<uint32_t>();
    shared[words - 1] = words;
    *result = shared[words - 1];
}

}  // namespace

cudaError_t sum_blocks(const int32_t* input, int32_t* sums, unsigned blocks) {
    return launch({.grid = blocks, .block = 256, .shared_bytes = 32}, sum_blocks_kernel, input, sums);
}
cudaError_t histogram(const uint32_t* values, uint32_t* counts, unsigned n) {
    return launch({.grid = 3, .block = 96, .shared_bytes = 64}, histogram_kernel, values, counts, n);
}
cudaError_t warp_functions(uint32_t* results) { return launch({.block = 32}, warp_functions_kernel, results); }
cudaError_t named_barriers(uint32_t* received, int rounds) {
    return launch({.block = 64, .shared_bytes = 4}, named_barriers_kernel, received, rounds);
}
cudaError_t last_block(uint32_t* ticket, uint32_t* result, unsigned blocks) {
    return launch({.grid = blocks, .block = 32}, last_block_kernel, ticket, result);
}
cudaError_t in_turn(uint32_t* turn, uint32_t* sums, unsigned blocks) {
    return launch({.grid = blocks, .block = 32}, in_turn_kernel, turn, sums);
}
cudaError_t transpose(const uint32_t* input, uint32_t* output, int pitch) {
    return launch({.block = 128, .shared_bytes = 32 * 33 * 4}, transpose_kernel, input, output, pitch);
}
cudaError_t copy_vectors(const uint4* input, uint4* output, unsigned n) {
    return launch({.grid = 2, .block = 64}, copy_vectors_kernel, input, output, n);
}

cudaError_t shared_memory_asked_for_in_turns(uint32_t* result) {
    constexpr size_t kMore = 60 * 1024, kLess = 50 * 1024;
    cudaError_t status = launch({.shared_bytes = kMore}, last_word_kernel, result, kMore / 4);
    if (status == cudaSuccess) status = launch({.shared_bytes = kLess}, last_word_kernel, result, kLess / 4);
    if (status != cudaSuccess) return status;
    cudaLaunchConfig_t config{};
    config.gridDim = config.blockDim = 1;
    config.dynamicSmemBytes = kMore;
    return cudaLaunchKernelEx(&config, last_word_kernel, result, static_cast<unsigned>(kMore / 4));
}
