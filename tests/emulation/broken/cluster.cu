// Shared memory of other blocks, used too early, too late or too far.
#include "broken.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx/cluster.cuh"
#include "cuda/device/ptx/mbarrier.cuh"
#include "cuda/device/smem.cuh"

using namespace halfbyte::cuda;

namespace {

struct Words {
    alignas(16) uint32_t word[32];
};

__device__ void cluster_barrier() {
    ptx::cluster_arrive();
    ptx::cluster_wait();
}

__device__ uint32_t other_block() { return ptx::cluster_rank() ^ 1u; }

__global__ void cluster_race_kernel(int32_t* output) {
    Words& shared = shared_memory<Words>();
    shared.word[threadIdx.x] = 0;
    cluster_barrier();
    shared.word[threadIdx.x] = threadIdx.x;
    __syncthreads();  // of this block alone
    const uint32_t value = ptx::load_cluster<uint32_t>(ptx::cluster_address(&shared.word[threadIdx.x], other_block()));
    cluster_barrier();
    output[threadIdx.x] = static_cast<int32_t>(value);
}

__global__ void cluster_relaxed_race_kernel(int32_t* output) {
    Words& shared = shared_memory<Words>();
    shared.word[threadIdx.x] = threadIdx.x;
    ptx::cluster_arrive_relaxed();  // releases nothing
    ptx::cluster_wait();
    const uint32_t value = ptx::load_cluster<uint32_t>(ptx::cluster_address(&shared.word[threadIdx.x], other_block()));
    cluster_barrier();
    output[threadIdx.x] = static_cast<int32_t>(value);
}

__global__ void cluster_second_race_kernel(int32_t* output) {
    Words& shared = shared_memory<Words>();
    shared.word[threadIdx.x] = threadIdx.x;
    cluster_barrier();
    const uint32_t value = ptx::load_cluster<uint32_t>(ptx::cluster_address(&shared.word[threadIdx.x], other_block()));
    shared.word[threadIdx.x] = 0;  // which the other block may not have read yet
    cluster_barrier();
    output[threadIdx.x] = static_cast<int32_t>(value + shared.word[threadIdx.x]);
}

__global__ void cluster_before_it_begins_kernel(int32_t* output) {
    Words& shared = shared_memory<Words>();
    ptx::store_cluster(ptx::cluster_address(&shared.word[threadIdx.x], other_block()), threadIdx.x);
    cluster_barrier();
    output[threadIdx.x] = static_cast<int32_t>(shared.word[threadIdx.x]);
}

__global__ void cluster_leaves_early_kernel(int32_t* output) {
    Words& shared = shared_memory<Words>();
    shared.word[threadIdx.x] = threadIdx.x;
    cluster_barrier();
    if (ptx::cluster_rank() == 0)  // whether block 1 ends before or after depends on the order
        output[threadIdx.x] = static_cast<int32_t>(ptx::load_cluster<uint32_t>(ptx::cluster_address(&shared.word[threadIdx.x], 1)));
}

__global__ void cluster_out_of_bounds_kernel(int32_t* output) {
    Words& shared = shared_memory<Words>();
    shared.word[threadIdx.x] = threadIdx.x;
    cluster_barrier();
    const float4 value = ptx::load_cluster<float4>(ptx::cluster_address(shared.word, other_block()) + sizeof shared.word);
    cluster_barrier();
    output[threadIdx.x] = static_cast<int32_t>(value.x);
}

__global__ void cluster_uninitialized_kernel(int32_t* output) {
    Words& shared = shared_memory<Words>();
    if (ptx::cluster_rank() == 0) shared.word[threadIdx.x] = threadIdx.x;
    cluster_barrier();
    const uint32_t value = ptx::load_cluster<uint32_t>(ptx::cluster_address(&shared.word[threadIdx.x], other_block()));
    cluster_barrier();
    output[threadIdx.x] = static_cast<int32_t>(value);
}

__global__ void cluster_rank_too_large_kernel(int32_t* output) {
    Words& shared = shared_memory<Words>();
    output[threadIdx.x] = static_cast<int32_t>(ptx::cluster_address(shared.word, ptx::cluster_size()));
}

// Block 0 comes to one barrier more, block 1 waits for an arrival that block 0 makes only afterwards.
__global__ void cluster_deadlock_kernel(int32_t* output) {
    struct Shared {
        uint64_t barrier;
    };
    Shared& shared = shared_memory<Shared>();
    if (threadIdx.x == 0) {
        ptx::mbarrier_init(&shared.barrier, 1);
        ptx::fence_mbarrier_init();
    }
    cluster_barrier();
    if (ptx::cluster_rank() == 0) cluster_barrier();
    else ptx::mbarrier_wait_cluster(&shared.barrier, 0);
    if (ptx::cluster_rank() == 0 && threadIdx.x == 0) ptx::mbarrier_arrive_cluster(ptx::cluster_address(&shared.barrier, 1));
    cluster_barrier();
    output[threadIdx.x] = 1;
}

__global__ void cluster_arrives_twice_kernel(int32_t* output) {
    ptx::cluster_arrive();
    ptx::cluster_arrive();
    ptx::cluster_wait();
    output[threadIdx.x] = 1;
}

__global__ void cluster_barrier_in_a_branch_kernel(int32_t* output) {
    if (threadIdx.x < 16) cluster_barrier();
    output[threadIdx.x] = 1;
}

Launch pair() { return {.grid = 2, .block = 32, .shared_bytes = sizeof(Words), .cluster = 2}; }

}  // namespace

cudaError_t cluster_race(int32_t* output) { return launch(pair(), cluster_race_kernel, output); }
cudaError_t cluster_relaxed_race(int32_t* output) { return launch(pair(), cluster_relaxed_race_kernel, output); }
cudaError_t cluster_second_race(int32_t* output) { return launch(pair(), cluster_second_race_kernel, output); }
cudaError_t cluster_before_it_begins(int32_t* output) { return launch(pair(), cluster_before_it_begins_kernel, output); }
cudaError_t cluster_leaves_early(int32_t* output) { return launch(pair(), cluster_leaves_early_kernel, output); }
cudaError_t cluster_out_of_bounds(int32_t* output) { return launch(pair(), cluster_out_of_bounds_kernel, output); }
cudaError_t cluster_uninitialized(int32_t* output) { return launch(pair(), cluster_uninitialized_kernel, output); }
cudaError_t cluster_rank_too_large(int32_t* output) { return launch(pair(), cluster_rank_too_large_kernel, output); }
cudaError_t cluster_deadlock(int32_t* output) { return launch(pair(), cluster_deadlock_kernel, output); }
cudaError_t cluster_arrives_twice(int32_t* output) { return launch(pair(), cluster_arrives_twice_kernel, output); }
cudaError_t cluster_barrier_in_a_branch(int32_t* output) { return launch(pair(), cluster_barrier_in_a_branch_kernel, output); }
