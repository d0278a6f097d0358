// y[m, n] = sum over k of x[m, k] * w[n, k] + bias[n] on Hopper's tensor cores, for 16-bit matrices and K a multiple of 16. Sums
// are float32, bias included, and rounded once; they are the sums of matmul_4bit_wgmma.cu, in the same order.
//
// Tiles, warpgroups and the way of the sums to memory are those of the 4-bit product (wgmma_tile.cuh), but both operands come from
// shared memory, where TMA brings them: one thread of the producer warpgroup is enough. A step of 64 k of a tile of 128 by
// 256 takes the tensor cores 1024 clocks and reads 96 KB of shared memory, of 128 that it could. It brings 32 KB of x and 16 KB
// of w from the second-level cache, 1750 clocks at 28 bytes; two blocks of a cluster share x, which leaves 32 KB, 1170 clocks.
#include "core/formats.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx/registers.cuh"
#include "cuda/device/ptx/tma.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/stage_ring.cuh"
#include "cuda/device/wgmma_tile.cuh"
#include "cuda/matmul_16bit.h"
#include "cuda/matmul_wgmma.h"
#include "cuda/tensor_map.h"

namespace halfbyte::cuda {
namespace {

constexpr int kRows = kMatMul16BitRows, kStages = 4;

template <class T>
struct Shared {
    struct Stage {
        alignas(1024) T x[kRows][kWgmmaStep];
        alignas(1024) T w[kWgmmaFeatures][kWgmmaStep];
    };
    Stage stages[kStages];
    WgmmaStaging<T> staging[2];
    StageRing<kStages> ring;
};

template <class T>
__device__ __forceinline__ void produce(Shared<T>& shared, const CUtensorMap& x, const CUtensorMap& w, const WgmmaWork& work) {
    typename decltype(shared.ring)::Position at;
    constexpr uint16_t kBoth = 3;  // blocks of a cluster
    const int half = static_cast<int>(ptx::cluster_rank()) * (kRows / 2);
    for (int64_t item = work.first(); item < work.count(); item += work.stride()) {
        const auto first_m = static_cast<int32_t>(work.tile_m(item) * kRows);
        const auto first_n = static_cast<int32_t>(work.tile(item) * kWgmmaFeatures);
        for (int64_t k = 0; k < work.depth; k += kWgmmaStep, at.advance()) {
            auto& stage = shared.stages[at.stage];
            shared.ring.wait_empty(at);
            shared.ring.expect(at, sizeof stage.x + sizeof stage.w);
            const auto at_k = static_cast<int32_t>(k);
            if (work.together == 1) ptx::tensor_load(stage.x, &x, at_k, first_m, shared.ring.filled(at));
            else ptx::tensor_load_multicast(stage.x[half], &x, at_k, first_m + half, shared.ring.filled(at), kBoth);
            ptx::tensor_load(stage.w, &w, at_k, first_n, shared.ring.filled(at));
        }
    }
}

template <class T>
__device__ __forceinline__ void consume(Shared<T>& shared, const MatMul16Bit& op, const WgmmaWork& work) {
    const int group = static_cast<int>(threadIdx.x) / 128;
    const uint32_t lane = threadIdx.x % 32;
    typename decltype(shared.ring)::Position at, before;
    const uint64_t first_x = row_descriptor(shared.stages[0].x), first_w = row_descriptor(&shared.stages[0].w[64 * group]);
    const bool tells = lane < work.together;  // a lane each block that shares x
    const uint32_t releases = shared.ring.releases_of(tells ? lane : 0);
    const auto release = [&] {
        __syncwarp();
        if (tells) shared.ring.release(before, releases);
    };
    for (int64_t item = work.first(); item < work.count(); item += work.stride()) {
        float sums[kRows / 2] = {};
        for (int64_t k = 0; k < op.K; k += kWgmmaStep) {
            shared.ring.wait_filled(at);
            ptx::wgmma_fence();
#pragma unroll
            for (int slice = 0; slice < 4; ++slice) {
                const int bytes = at.stage * static_cast<int>(sizeof(typename Shared<T>::Stage)) + slice * 32;
                wgmma_add(sums, further(first_w, bytes), further(first_x, bytes), T{});
            }
            ptx::wgmma_commit();
            ptx::wgmma_wait<1>();
            if (k > 0) release();
            before = at;
            at.advance();
        }
        ptx::wgmma_wait<0>(sums);
        release();
        store_sums(shared.staging[group], sums, op.output, work.tile_m(item) * kRows, op.M,
                   work.tile(item) * kWgmmaFeatures + 64 * group, op.N);
    }
}

template <class T>
__global__ void __launch_bounds__(kWgmmaThreads, 1)
    matmul_16bit_wgmma_kernel(const __grid_constant__ MatMul16Bit op, const __grid_constant__ CUtensorMap x,
                              const __grid_constant__ CUtensorMap w, const WgmmaWork work) {
    Shared<T>& shared = shared_memory<Shared<T>>();
    ptx::grid_dependency_launch();
    if (threadIdx.x == kWgmmaConsumers) {
        ptx::tensor_prefetch(&x);
        ptx::tensor_prefetch(&w);
    }
    if (threadIdx.x == 0) shared.ring.init(1, kWgmmaConsumers / 32 * work.together);
    ptx::cluster_arrive();
    ptx::cluster_wait();
    ptx::grid_dependency_wait();
    if (threadIdx.x >= kWgmmaConsumers) {
        ptx::registers_decrease<kWgmmaProducerRegisters>();
        if (threadIdx.x == kWgmmaConsumers) produce(shared, x, w, work);
    } else {
        ptx::registers_increase<kWgmmaConsumerRegisters>();
        consume(shared, op, work);
    }
    __syncwarp();
    ptx::cluster_arrive();  // the other block may still have a stage to release here
    ptx::cluster_wait();
}

template <class T>
cudaError_t run(const MatMul16Bit& op, cudaStream_t stream) {
    const int64_t tiles = ceil_div(op.N, kWgmmaFeatures);
    const unsigned cluster = wgmma_cluster(tiles);
    CUtensorMap x, w;
    cudaError_t status = make_tensor_map(&x, {.data = op.x,
                                              .dtype = op.dtype,
                                              .rows = op.M,
                                              .columns = op.K,
                                              .ld = op.ldx,
                                              .box_rows = kRows / cluster,
                                              .box_columns = 64});
    if (status == cudaSuccess)
        status = make_tensor_map(&w, {.data = op.w,
                                      .dtype = op.dtype,
                                      .rows = op.N,
                                      .columns = op.K,
                                      .ld = op.K,
                                      .box_rows = kWgmmaFeatures,
                                      .box_columns = 64});
    const WgmmaWork work{
        .groups = ceil_div(tiles, cluster), .tiles_m = ceil_div(op.M, kRows), .splits = 1, .depth = op.K, .together = cluster};
    Launch at{.block = kWgmmaThreads,
              .shared_bytes = sizeof(Shared<T>),
              .stream = stream,
              .overlaps_predecessor = true,
              .cluster = cluster};
    if (status == cudaSuccess) status = work.grid(&at.grid);
    if (status == cudaSuccess) status = launch(at, matmul_16bit_wgmma_kernel<T>, op, x, w, work);
    return status;
}

}  // namespace

cudaError_t matmul_16bit_wgmma(const MatMul16Bit& op, cudaStream_t stream) {
    return op.dtype == DType::kFloat16 ? run<__half>(op, stream) : run<__nv_bfloat16>(op, stream);
}

}  // namespace halfbyte::cuda
