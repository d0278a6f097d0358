#include "cuda/device/launch.cuh"
#include "cuda/device/ptx/cluster.cuh"
#include "cuda/device/ptx/mbarrier.cuh"
#include "cuda/device/ptx/tma.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/stage_ring.cuh"
#include "kernels.h"

using namespace halfbyte::cuda;

namespace {

constexpr unsigned kThreads = 64;

// Every block sums its own elements, then block 0 of a cluster those of the others: the pattern of a split reduction.
__global__ void sum_by_clusters_kernel(const float* input, float* sums) {
    struct Shared {
        float element[kThreads], sum;
    };
    Shared& shared = shared_memory<Shared>();
    shared.element[threadIdx.x] = input[blockIdx.x * kThreads + threadIdx.x];
    __syncthreads();
    if (threadIdx.x == 0) {
        shared.sum = 0;
        for (float element : shared.element) shared.sum += element;
    }
    ptx::cluster_arrive();
    ptx::cluster_wait();
    if (ptx::cluster_rank() == 0 && threadIdx.x == 0) {
        float sum = 0;
        for (uint32_t rank = 0; rank < ptx::cluster_size(); ++rank)
            sum += ptx::load_cluster<float>(ptx::cluster_address(&shared.sum, rank));
        sums[blockIdx.x / ptx::cluster_size()] = sum;
    }
    ptx::cluster_arrive();
    ptx::cluster_wait();
}

// Each thread hands 16 bytes and a word to the same thread of the next block, `rounds` times around.
__global__ void pass_around_kernel(const float4* input, float4* output, uint32_t* ranks, int rounds) {
    struct Shared {
        float4 vector[2][kThreads];
        uint32_t rank[2][kThreads];
    };
    Shared& shared = shared_memory<Shared>();
    const uint32_t rank = ptx::cluster_rank(), next = (rank + 1) % ptx::cluster_size(), i = threadIdx.x;
    shared.vector[0][i] = input[blockIdx.x * kThreads + i];
    shared.rank[0][i] = rank;
    for (int round = 0; round < rounds; ++round) {
        const int from = round % 2, to = 1 - from;
        ptx::cluster_arrive();  // the next block has read what is overwritten now
        ptx::cluster_wait();
        ptx::store_cluster(ptx::cluster_address(&shared.vector[to][i], next), shared.vector[from][i]);
        ptx::store_cluster(ptx::cluster_address(&shared.rank[to][0], next) + 4 * i, shared.rank[from][i]);
    }
    ptx::cluster_arrive();
    ptx::cluster_wait();
    output[blockIdx.x * kThreads + i] = shared.vector[rounds % 2][i];
    ranks[blockIdx.x * kThreads + i] = shared.rank[rounds % 2][i];
}

// Block 0 fills a slot in each other block's shared memory, which that one empties: full and empty by mbarriers of the reader.
__global__ void feed_kernel(const uint32_t* input, uint32_t* output, int rounds) {
    struct Shared {
        uint32_t slot;
        uint64_t full, empty;
    };
    Shared& shared = shared_memory<Shared>();
    const uint32_t rank = ptx::cluster_rank(), size = ptx::cluster_size();
    if (threadIdx.x == 0) {
        ptx::mbarrier_init(&shared.full, 1);
        ptx::mbarrier_init(&shared.empty, rank == 0 ? size - 1 : 1);
        ptx::fence_mbarrier_init();
    }
    ptx::cluster_arrive();
    ptx::cluster_wait();
    for (int round = 0; round < rounds && threadIdx.x == 0; ++round) {
        const uint32_t parity = static_cast<uint32_t>(round) % 2;
        if (rank == 0) {
            for (uint32_t other = 1; other < size; ++other) {
                ptx::store_cluster(ptx::cluster_address(&shared.slot, other), input[round] + other);
                ptx::mbarrier_arrive_cluster(ptx::cluster_address(&shared.full, other));
            }
            ptx::mbarrier_wait_cluster(&shared.empty, parity);
        } else {
            ptx::mbarrier_wait_cluster(&shared.full, parity);
            output[(rank - 1) * static_cast<uint32_t>(rounds) + static_cast<uint32_t>(round)] = shared.slot;
            ptx::mbarrier_arrive_cluster(ptx::cluster_address(&shared.empty, 0));
        }
    }
    __syncwarp();
    ptx::cluster_arrive();
    ptx::cluster_wait();
}

// Each block brings eight rows of each tile to all blocks of its cluster, through a ring of two stages, and stores what has come.
struct TileShared {
    alignas(1024) uint16_t tile[2][64][64];
    StageRing<2> ring;
};

__global__ void share_tiles_kernel(const __grid_constant__ CUtensorMap from, uint16_t* output, int tiles) {
    TileShared& shared = shared_memory<TileShared>();
    const uint32_t rank = ptx::cluster_rank(), size = ptx::cluster_size(), lane = threadIdx.x % 32;
    typename decltype(shared.ring)::Position at;
    if (threadIdx.x == 0) shared.ring.init(1, size);
    ptx::cluster_arrive();
    ptx::cluster_wait();
    if (threadIdx.x == 0) {
        for (int32_t tile = 0; tile < tiles; ++tile, at.advance()) {
            shared.ring.wait_empty(at);
            shared.ring.expect(at, size * 8 * 128);
            ptx::tensor_load_multicast(&shared.tile[at.stage][8 * rank], &from, 0,
                                       tile * static_cast<int32_t>(8 * size) + static_cast<int32_t>(8 * rank),
                                       shared.ring.filled(at), static_cast<uint16_t>((1u << size) - 1));
        }
    } else if (threadIdx.x >= 32) {
        output += blockIdx.x * static_cast<size_t>(tiles) * size * 8 * 64;
        for (int tile = 0; tile < tiles; ++tile, at.advance()) {
            shared.ring.wait_filled(at);
            for (uint32_t row = 0; row < 8 * size; ++row, output += 64)
                for (uint32_t i = lane; i < 64; i += 32) output[i] = shared.tile[at.stage][row][i];
            __syncwarp();
            if (lane < size) shared.ring.release(at, shared.ring.releases_of(static_cast<uint32_t>(lane)));
        }
    }
    ptx::cluster_arrive();
    ptx::cluster_wait();
}

}  // namespace

cudaError_t sum_by_clusters(const float* input, float* sums, unsigned blocks, unsigned cluster) {
    return launch({.grid = blocks, .block = kThreads, .shared_bytes = 4 * (kThreads + 1), .cluster = cluster},
                  sum_by_clusters_kernel, input, sums);
}
cudaError_t pass_around(const float4* input, float4* output, uint32_t* ranks, unsigned blocks, unsigned cluster, int rounds) {
    return launch({.grid = blocks, .block = kThreads, .shared_bytes = 40 * kThreads, .cluster = cluster}, pass_around_kernel, input,
                  output, ranks, rounds);
}
cudaError_t feed(const uint32_t* input, uint32_t* output, unsigned cluster, int rounds) {
    return launch({.grid = cluster, .block = 32, .shared_bytes = 24, .cluster = cluster}, feed_kernel, input, output, rounds);
}
cudaError_t share_tiles(const CUtensorMap& from, uint16_t* output, unsigned cluster, int tiles) {
    return launch({.grid = 2 * cluster, .block = 64, .shared_bytes = sizeof(TileShared), .cluster = cluster}, share_tiles_kernel,
                  from, output, tiles);
}
