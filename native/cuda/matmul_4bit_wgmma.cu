// y[m, n] = sum over k of x[m, k] * round(table[code(n, k)] * absmax(block of (n, k))) + bias[n] on Hopper's tensor cores, for
// 16-bit x and K a multiple of 16. `round` is to x's type: the operands are those of a product after dequantization, bit for bit.
// Sums are float32, bias included, and rounded once.
//
// Weights are decoded into registers, as operand A of wgmma: D[feature, row of x]. A block makes tiles of 128 features by 256,
// 128 or 64 rows of x, in steps of 64 k through a ring of stages (stage_ring.cuh):
//
//   warpgroup 2       producer: x by TMA, with 128-byte swizzle; of each row of the weight 64 codes, and the sixteen values that
//                     they may have (code_stage.cuh), so that consumers know nothing of formats, statistics and blocks
//   warpgroups 0, 1   consumers of 64 features each (wgmma_tile.cuh): find the values of step i by byte permutes while the tensor
//                     cores multiply step i - 1 from the other buffer of A registers
//
// Blocks are persistent, one per multiprocessor: the stages of the next tile come in while this one's sums go out. Tiles of the
// same features follow each other, so that a weight's bytes come from memory once; x stays in the second-level cache. Two blocks
// of a cluster make neighbouring tiles of features from the same rows of x, step by step: each loads half of the rows, for both.
// Where tiles are few K is split over blocks: over two, four or eight of a cluster, which add their sums in shared memory
// (wgmma_sums.cuh), or by way of memory and another launch (matmul_partials.h). The order of the sum is the same.
//
// Clocks of a step on one multiprocessor:
//
//   rows of x                                     256    128     64
//   tensor cores: 4 per row                      1024    512    256
//   shared memory: operand B, by each consumer    512    256    128
//                  codes and values               224    224    224   20 words per lane read, 16 written
//   each quarter:  instructions                   525    525    525   two consumers of 164, a producer of 197
//                  integers and logic, 2 each     580    580    580   two consumers of 108, a producer of 74
//   second-level cache at 28 bytes                 1340    750    460   x, and 4.6 KB of codes and statistics
//   the same, two blocks in a cluster               750    460    310   half of x
//
// So the tensor cores are the limit at 256 rows, if blocks share x (an H200's cache gives a multiprocessor 24 to 32 bytes a clock);
// at 128 decoding nearly is, and at 64 it takes twice their time: such tiles are for products that have too few others. Per weight
// and lane a consumer spends 5.1 instructions, 3.4 of them integers and logic. Bytes per weight, block size 64: 0.5 packed +
// 0.0625 statistics (nested: 0.0157).
#include "cuda/device/code_stage.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx/registers.cuh"
#include "cuda/device/ptx/tma.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/stage_ring.cuh"
#include "cuda/device/wgmma_sums.cuh"
#include "cuda/device/wgmma_tile.cuh"
#include "cuda/matmul_4bit.h"
#include "cuda/matmul_partials.h"
#include "cuda/matmul_wgmma.h"
#include "cuda/tensor_map.h"

namespace halfbyte::cuda {
namespace {

static_assert(kMmaTile == kWgmmaFeatures && kCodeRows == kWgmmaFeatures && kCodeStep == kWgmmaStep);

template <class T, int Rows, int Tables>
struct Shared {
    struct Stage {
        alignas(1024) T x[Rows][kWgmmaStep];
        CodeStage<Tables> weights;
    };
    // As many as there is room for beside the rest, and no more than eight.
    static constexpr int kRoom = kWgmmaSharedBytes - 2 * sizeof(WgmmaStaging<T>) - kSharedAlignment;
    static constexpr int kStages = std::min<int>(8, kRoom / sizeof(Stage));
    Stage stages[kStages];
    WgmmaStaging<T> staging[2];
    StageRing<kStages> ring;

    // Sums take the place of the stages when these have been used for the last time.
    __device__ __forceinline__ WgmmaSums<Rows>& sums() { return reinterpret_cast<WgmmaSums<Rows>&>(stages); }
    static_assert(sizeof(WgmmaSums<Rows>) <= sizeof(Stage) * kStages);
};

constexpr int kPrefetch = 16 * kWgmmaStep;  // k ahead

// What a block works on.
struct Tile {
    const Weight4Bit& weight;
    int index;  // of the weight
    int64_t first_m, first_n, begin, end, split;

    __device__ __forceinline__ Tile(const MatMul4BitBatch& batch, const WgmmaWork& work, int64_t item, int rows)
        : Tile(batch, work, item, rows, weight_of_tile(batch.weights, work.tile(item))) {}

   private:
    __device__ __forceinline__ Tile(const MatMul4BitBatch& batch, const WgmmaWork& work, int64_t item, int rows, int i)
        : weight(batch.weights.at[i]),
          index(i),
          first_m(work.tile_m(item) * rows),
          first_n((work.tile(item) - weight.first) * kWgmmaFeatures),
          begin(work.split(item) * work.depth),
          end(min(batch.weights.K, begin + work.depth)),
          split(work.split(item)) {}
};

template <class T, int Rows, int Tables>
__device__ __forceinline__ void produce(Shared<T, Rows, Tables>& shared, const MatMul4BitBatch& batch, const CUtensorMap& x,
                                        const WgmmaWork& work) {
    typename decltype(shared.ring)::Position at;
    const auto both = static_cast<uint16_t>(3u << work.first_together());  // blocks that share x
    const int half = static_cast<int>(work.place()) * (Rows / 2);
    for (int64_t item = work.first(); item < work.count(); item += work.stride()) {
        const Tile tile(batch, work, item, Rows);
        CodeFiller<T, Tables> filler(batch.weights, tile.weight, tile.first_n, tile.begin);
#pragma unroll 1
        for (int k = 0; k < kPrefetch; k += kWgmmaStep) filler.prefetch(k);
        CodeRegisters<Tables> next{};
        filler.load(next);
        const auto first_m = static_cast<int32_t>(tile.first_m), end = static_cast<int32_t>(tile.end);
        for (auto k = static_cast<int32_t>(tile.begin); k < end; k += kWgmmaStep, at.advance()) {
            auto& stage = shared.stages[at.stage];
            const CodeRegisters<Tables> current = next;
            filler.prefetch(kPrefetch);
            filler.load(next);
            shared.ring.wait_empty(at);
            if (threadIdx.x == kWgmmaConsumers) {
                shared.ring.expect(at, sizeof stage.x);
                if (work.together == 1) ptx::tensor_load(stage.x, &x, k, first_m, shared.ring.filled(at));
                else ptx::tensor_load_multicast(stage.x[half], &x, k, first_m + half, shared.ring.filled(at), both);
            }
            filler.store(stage.weights, current);
            __syncwarp();
            if (threadIdx.x % 32 == 0) shared.ring.arrive_filled(at);
        }
    }
}

template <class T, int Rows, int Tables>
__device__ __forceinline__ void consume(Shared<T, Rows, Tables>& shared, const MatMul4BitBatch& batch, const WgmmaWork& work,
                                        int64_t columns) {
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    typename decltype(shared.ring)::Position at, before;
    const uint64_t first_x = row_descriptor(shared.stages[0].x);
    // This warp is done with the stage before: a lane tells each block that shares x.
    const bool tells = lane < static_cast<int>(work.together);
    const uint32_t releases = shared.ring.releases_of(work.first_together() + (tells ? static_cast<uint32_t>(lane) : 0));
    const auto release = [&] {
        __syncwarp();
        if (tells) shared.ring.release(before, releases);
    };
    for (int64_t item = work.first(); item < work.count(); item += work.stride()) {
        const Tile tile(batch, work, item, Rows);
        float sums[Rows / 2] = {};
        int rest = static_cast<int>(tile.end - tile.begin);  // k
        bool is_first = true;
        const auto step = [&](uint32_t(&a)[4][4]) {
            const auto& stage = shared.stages[at.stage];
            shared.ring.wait_filled(at);
            decode(a, stage.weights, warp);
            // Zeros beyond K, even if the table has infinities. With one table K ends with a stage, and still the branch is there:
            // it keeps ptxas from moving the last permutes of decode() in between the products, which it would then serialize.
            if (rest < kWgmmaStep) {
#pragma unroll
                for (int slice = 1; slice < 4; ++slice)
#pragma unroll
                    for (uint32_t& word : a[slice])
                        if (slice * kCodeSlice >= rest) word = 0;
            }
            ptx::wgmma_fence();
#pragma unroll
            for (int slice = 0; slice < 4; ++slice)
                wgmma_add(sums, a[slice], further(first_x, at.stage * static_cast<int>(sizeof stage) + slice * 32), T{});
            ptx::wgmma_commit();
            ptx::wgmma_wait<1>();
            if (!is_first) release();
            is_first = false;
            before = at;
            at.advance();
            rest -= kWgmmaStep;
        };
        uint32_t even[4][4], odd[4][4];
        while (rest > 0) {
            step(even);
            if (rest > 0) step(odd);
        }
        ptx::wgmma_wait<0>(sums);
        release();

        const int64_t first_n = tile.first_n + warp / 4 * 64, N = tile.weight.N;
        if (work.adds_in_cluster) {
            ptx::barrier_sync(3, kWgmmaConsumers);  // the other warpgroup has used the last stage, too
            shared.sums().hand_over(sums);
        } else if (work.splits == 1) {
            store_sums(shared.staging[warp / 4], sums, batch.outputs[tile.index], tile.first_m, batch.M, first_n, N);
        } else {
            float* partials = batch.partials + tile.split * batch.M * columns + batch.columns[tile.index];
            store_partial_sums(partials, columns, sums, tile.first_m, batch.M, first_n, N);
        }
    }
}

// What this block finishes of its cluster's tile.
template <class T, int Rows, int Tables>
__device__ __forceinline__ void add_sums(Shared<T, Rows, Tables>& shared, const MatMul4BitBatch& batch, const WgmmaWork& work) {
    const Tile tile(batch, work, work.first(), Rows);
    const int group = static_cast<int>(threadIdx.x) / 128;
    shared.sums().add(shared.staging[group], work, batch.outputs[tile.index], tile.first_m, batch.M, tile.first_n + group * 64,
                      tile.weight.N);
}

template <class T, int Rows, int Tables>
__global__ void __launch_bounds__(kWgmmaThreads, 1)
    matmul_4bit_wgmma_kernel(const __grid_constant__ MatMul4BitBatch batch, const __grid_constant__ CUtensorMap x,
                             const WgmmaWork work, int64_t columns) {
    auto& shared = shared_memory<Shared<T, Rows, Tables>>();
    ptx::grid_dependency_launch();
    if (threadIdx.x == kWgmmaConsumers) ptx::tensor_prefetch(&x);
    // A stage is filled by the copy of x and by four warps that bring codes, and used by eight warps of each block.
    if (threadIdx.x == 0) shared.ring.init(1 + kWgmmaProducers / 32, kWgmmaConsumers / 32 * work.together);
    ptx::cluster_arrive();
    ptx::cluster_wait();
    ptx::grid_dependency_wait();
    if (threadIdx.x >= kWgmmaConsumers) {
        ptx::registers_decrease<kWgmmaProducerRegisters>();
        produce(shared, batch, x, work);
    } else {
        ptx::registers_increase<kWgmmaConsumerRegisters>();
        consume(shared, batch, work, columns);
    }
    cluster_meet();  // the other block may still have a stage to release here, or another one sums to hand over
    if (!work.adds_in_cluster) return;
    if (threadIdx.x < kWgmmaConsumers) add_sums(shared, batch, work);
    cluster_meet();  // others have read this block's sums
}

template <class T, int Rows, int Tables>
cudaError_t run(const MatMul4BitBatch& batch, unsigned together, int64_t columns, cudaStream_t stream) {
    const int64_t K = batch.weights.K, depth = depth_of_split(K, batch.splits, kWgmmaStep);
    CUtensorMap x;
    cudaError_t status = make_tensor_map(&x, {.data = batch.x,
                                              .dtype = batch.dtype,
                                              .rows = batch.M,
                                              .columns = K,
                                              .ld = batch.ldx,
                                              .box_rows = Rows / together,
                                              .box_columns = 64});
    const WgmmaWork work{.groups = ceil_div(batch.tiles, together),
                         .tiles_m = ceil_div(batch.M, Rows),
                         .splits = ceil_div(K, depth),
                         .depth = depth,
                         .together = together,
                         .adds_in_cluster = wgmma_adds_in_cluster(ceil_div(K, depth))};
    Launch at{.block = kWgmmaThreads,
              .shared_bytes = sizeof(Shared<T, Rows, Tables>),
              .stream = stream,
              .overlaps_predecessor = true,
              .cluster = work.cluster()};
    if (status == cudaSuccess) status = work.grid(&at.grid);
    if (status == cudaSuccess) status = launch(at, matmul_4bit_wgmma_kernel<T, Rows, Tables>, batch, x, work, columns);
    return status;
}

template <class T, int Tables>
cudaError_t run(const MatMul4BitBatch& batch, const WgmmaPlan& plan, int64_t columns, cudaStream_t stream) {
    return plan.rows == 256   ? run<T, 256, Tables>(batch, plan.together, columns, stream)
           : plan.rows == 128 ? run<T, 128, Tables>(batch, plan.together, columns, stream)
                              : run<T, 64, Tables>(batch, plan.together, columns, stream);
}

template <class T>
cudaError_t run(const MatMul4BitBatch& batch, const WgmmaPlan& plan, int64_t columns, cudaStream_t stream) {
    bool is_one = true;
    for (int32_t i = 0; i < batch.weights.count; ++i) is_one = is_one && has_one_table(batch.weights.at[i], batch.weights.K);
    return is_one ? run<T, 1>(batch, plan, columns, stream) : run<T, 4>(batch, plan, columns, stream);
}

}  // namespace

int64_t matmul_4bit_wgmma_splits(const MatMul4Bit& op) {
    int64_t tiles = 0;
    for (int64_t i = 0; i < op.count; ++i) tiles += ceil_div(op.weights[i].N, kWgmmaFeatures);
    return wgmma_plan(op.M, tiles, op.K).splits;
}

int64_t matmul_4bit_wgmma_partials(const MatMul4Bit& op) {
    const int64_t splits = matmul_4bit_wgmma_splits(op);
    return wgmma_adds_in_cluster(splits) ? 1 : splits;
}

cudaError_t matmul_4bit_wgmma(const MatMul4BitBatch& batch, cudaStream_t stream) {
    const int64_t columns = columns_of(batch);
    const WgmmaPlan plan = wgmma_plan(batch.M, batch.tiles, batch.weights.K, batch.splits);
    const cudaError_t status = batch.dtype == DType::kFloat16 ? run<__half>(batch, plan, columns, stream)
                                                              : run<__nv_bfloat16>(batch, plan, columns, stream);
    const int64_t splits = ceil_div(batch.weights.K, depth_of_split(batch.weights.K, batch.splits, kWgmmaStep));
    return status != cudaSuccess || wgmma_adds_in_cluster(splits) ? status : add_partials(batch, splits, stream);
}

}  // namespace halfbyte::cuda
