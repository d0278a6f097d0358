// Blocks that fill each other's stages by multicast, each with one thing that is missing.
#include "broken.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx/tma.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/stage_ring.cuh"

using namespace halfbyte::cuda;

namespace {

constexpr int kStages = 2, kSteps = 5;

struct Shared {
    alignas(1024) uint16_t tile[kStages][16][64];
    StageRing<kStages> ring;
};

enum class Missing { kFirstMeeting, kReleaseThere, kCountOfOthers, kReadBefore, kLastMeeting, kBlock };

__device__ void cluster_barrier() {
    ptx::cluster_arrive();
    ptx::cluster_wait();
}

// Warp 0 brings half of each tile to both blocks, warp 1 adds up what came.
template <Missing What>
__global__ void multicast_kernel(const __grid_constant__ CUtensorMap from, int32_t* output) {
    Shared& shared = shared_memory<Shared>();
    typename decltype(shared.ring)::Position at;
    const uint32_t rank = ptx::cluster_rank(), lane = threadIdx.x % 32;
    if (threadIdx.x == 0) shared.ring.init(1, What == Missing::kCountOfOthers ? 1 : 2);
    if (What == Missing::kFirstMeeting) __syncthreads();
    else cluster_barrier();
    if (threadIdx.x == 0) {
        for (int32_t step = 0; step < kSteps; ++step, at.advance()) {
            shared.ring.wait_empty(at);
            shared.ring.expect(at, sizeof shared.tile[0]);
            const auto first = static_cast<int32_t>(8 * rank);
            ptx::tensor_load_multicast(&shared.tile[at.stage][first], &from, 0, 16 * step + first, shared.ring.filled(at),
                                       What == Missing::kBlock ? 7 : 3);
        }
    } else if (threadIdx.x >= 32) {
        int32_t sum = 0;
        for (int step = 0; step < kSteps; ++step, at.advance()) {
            shared.ring.wait_filled(at);
            const auto& tile = shared.tile[at.stage];
            if (What != Missing::kReadBefore)
                for (const auto& row : tile) sum += row[lane];
            __syncwarp();
            if (What == Missing::kReleaseThere || What == Missing::kCountOfOthers) {
                if (lane == 0) shared.ring.release(at);
            } else if (lane < 2) {
                shared.ring.release(at, shared.ring.releases_of(static_cast<uint32_t>(lane)));
            }
            if (What == Missing::kReadBefore)
                for (const auto& row : tile) sum += row[lane];
        }
        output[32 * rank + lane] = sum;
    }
    if (What != Missing::kLastMeeting) cluster_barrier();
}

template <Missing What>
cudaError_t run(const CUtensorMap& from, int32_t* output) {
    return launch({.grid = 2, .block = 64, .shared_bytes = sizeof(Shared), .cluster = 2}, multicast_kernel<What>, from, output);
}

}  // namespace

cudaError_t multicast_before_it_begins(const CUtensorMap& from, int32_t* output) {
    return run<Missing::kFirstMeeting>(from, output);
}
cudaError_t multicast_never_released(const CUtensorMap& from, int32_t* output) { return run<Missing::kReleaseThere>(from, output); }
cudaError_t multicast_into_use(const CUtensorMap& from, int32_t* output) { return run<Missing::kCountOfOthers>(from, output); }
cudaError_t multicast_released_too_early(const CUtensorMap& from, int32_t* output) {
    return run<Missing::kReadBefore>(from, output);
}
cudaError_t multicast_leaves_early(const CUtensorMap& from, int32_t* output) { return run<Missing::kLastMeeting>(from, output); }
cudaError_t multicast_to_no_block(const CUtensorMap& from, int32_t* output) { return run<Missing::kBlock>(from, output); }
