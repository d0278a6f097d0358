// dx[m, k] = sum over i and n of dy_i[m, n] * w_i[n, k] by Hopper's warpgroup products, for 16-bit dy.
//
//   w_i[n, k] = table[code_i(n, k)] * absmax_i(block of (n, k)), rounded to dy's type: what halfbyte_dequantize_4bit writes
//
// Sums are float32 over all weights and rows, and rounded once.
//
// A block of three warpgroups makes tiles of 128 rows by 256 columns of dx, one after another, in stages of 64 n. Two warpgroups
// are consumers: each holds 64 x 256 sums in registers. The first operand is dy as TMA brings it, rows of 64 n; the second is W as
// it is stored, lines of 64 k for each n, MN-major, which products of 16 bits take at no cost. The third warpgroup decodes W: a
// thread takes 64 codes of a row, 32 bytes, loaded a stage ahead, makes the sixteen weights of their block (scaled_table.cuh) and
// stores a line of 128 bytes, swizzled: the eight lanes that store at once hold eight rows, and touch all banks. Where M is at most
// 64, one warpgroup multiplies and two decode.
//
// What a stage of 128 x 256 x 64 costs a multiprocessor, in clocks:
//   tensor cores   1024
//   shared memory   640  operands: each of 8 products reads 2 KB of dy and 8 KB of W
//                   384  written: 16 KB of dy, 32 KB of W. In all as much as any product of 16-bit matrices with these tiles
//   integer units   920  of 64 lanes: 16384 weights at 2.9 instructions are 740, loads and the walk through them 180
//   issue           650  of each of four schedulers
// A float32 table in shared memory would add 512 clocks to shared memory, which has none left: hence the one in registers. Tiles of
// 128 columns would read dy twice as often, 1280 clocks. Four warpgroups would leave 128 registers at launch, and a product of 256
// columns needs more in one instruction than the compiler then grants. With 64 rows the integer units set the pace: 17 weights a
// clock, six tenths of what memory delivers.
// Bytes per weight and tile of rows: 0.5 packed + 0.0625 statistics at block size 64, from the second-level cache but for one tile.
#include "core/formats.h"
#include "cuda/device/code_run.cuh"
#include "cuda/device/grid.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/ptx/tma.cuh"
#include "cuda/device/ptx/wgmma.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/stage_ring.cuh"
#include "cuda/matmul_transposed.h"
#include "cuda/tensor_map.h"

namespace halfbyte::cuda {
namespace {

constexpr int kColumns = 256, kDepth = 64, kStages = 4, kGroup = 128, kThreads = 3 * kGroup;
constexpr int kPanels = kColumns / kRun;  // of W: 64 lines of 128 bytes each

// Of a block with one or two warpgroups of consumers.
template <int Consumers>
inline constexpr int kProducers = (3 - Consumers) * kGroup;
template <int Consumers>
inline constexpr int kRuns = (kPanels * kDepth) / kProducers<Consumers>;  // that a producer decodes of a stage

// A launch: a tile of dx and a split of the depth is one item. Rows of dx go fastest, so that blocks decode the same weights at the
// same time.
struct Work {
    Transposed4BitBatch batch;
    CUtensorMap gradients[kWeightsPerLaunch];
    int tiles_m = 0, tiles = 0, items = 0;  // of dx along m, in all, and with splits

    explicit Work(const Transposed4BitBatch& from) : batch(from) {}
};

template <class T, int Consumers>
struct Shared {
    struct Stage {
        alignas(1024) T gradients[64 * Consumers][kDepth];
        alignas(1024) uint4 weights[kPanels][kDepth][kRunWords];
    };
    Stage stages[kStages];
    alignas(16) T sums[4 * Consumers][16][64 + 8];  // of each warp of consumers, 64 columns at a time
    alignas(16) DecoderTables tables;
    StageRing<kStages> ring;
};

// Where an item lies. 32-bit divisions: those of 64 bits are function calls, across which the compiler moves no registers.
struct Tile {
    int m, k, split;
    __device__ __forceinline__ Tile(const Work& work, int item)
        : m(item % work.tiles % work.tiles_m), k(item % work.tiles / work.tiles_m), split(item / work.tiles) {}
};

// The steps of a block: through its items, the weights of each, and their rows.
struct Walk {
    int item, weight, n, end;
    int first_m, first_k;

    __device__ __forceinline__ bool is_done(const Work& work) const { return item >= work.items; }

    // To the first rows at or after this item and weight.
    __device__ __forceinline__ void find(const Work& work, int rows) {
        for (; item < work.items; item += static_cast<int>(gridDim.x), weight = 0) {
            const Tile tile(work, item);
            first_m = tile.m * rows;
            first_k = tile.k * kColumns;
            for (; weight < work.batch.weights.count; ++weight) {
                const int64_t first = tile.split * work.batch.depth;
                n = static_cast<int>(first);
                end = static_cast<int>(min(work.batch.weights.at[weight].N, first + work.batch.depth));
                if (n < end) return;
            }
        }
    }
    // Whether that is another item or weight.
    __device__ __forceinline__ bool advance(const Work& work, int rows) {
        n += kDepth;
        if (n < end) return false;
        ++weight;
        find(work, rows);
        return true;
    }
};

// Where a producer's runs of a step lie. A warp takes 8 rows of W by 4 panels at a time.
template <int Consumers>
struct RunSource {
    static constexpr int kRowsApart = kDepth / kRuns<Consumers>;

    int panel, row;
    int64_t first;          // element of the first of them
    const uint8_t* packed;  // where that lies
    int columns;            // from there on, and at most a run
    RunLayout layout;

    __device__ __forceinline__ explicit RunSource(int thread) : panel(thread % 32 / 8), row(thread / 32 * 8 + thread % 8) {}

    __device__ __forceinline__ void enter(const Work& work, const Walk& at) {
        const Weights4Bit& weights = work.batch.weights;
        first = (at.n + row) * weights.K + at.first_k + panel * kRun;
        packed = weights.at[at.weight].packed + first / 2;
        columns = static_cast<int>(min(int64_t{kRun}, weights.K - at.first_k - panel * kRun));
        layout = RunLayout(weights.at[at.weight], weights.K);
    }
    __device__ __forceinline__ void advance(const Work& work) {
        first += kDepth * work.batch.weights.K;
        packed += kDepth / 2 * work.batch.weights.K;
    }

    __device__ __forceinline__ void load(CodeRun& run, const Work& work, const Walk& at, int i) const {
        constexpr int kAhead = 2 * kDepth;  // rows: what is read next but one comes to the second-level cache already
        const int64_t K = work.batch.weights.K;
        const int rows = at.end - at.n - row - i * kRowsApart;  // from the run's on
        const uint8_t* from = packed + i * kRowsApart / 2 * K;
        run.load(work.batch.weights.at[at.weight].statistics, layout, from, first + i * kRowsApart * K, rows > 0 ? columns : 0);
        if (rows > kAhead && columns > 0) ptx::prefetch_l2(from + kAhead / 2 * K);
    }
};

template <class T, int Consumers>
__device__ __forceinline__ void produce(Shared<T, Consumers>& shared, const Work& work) {
    constexpr int kRows = 64 * Consumers, kPerThread = kRuns<Consumers>;
    const Weights4Bit& weights = work.batch.weights;
    const int thread = static_cast<int>(threadIdx.x) - kGroup * Consumers;
    Walk next{.item = static_cast<int>(blockIdx.x), .weight = 0, .n = 0, .end = 0, .first_m = 0, .first_k = 0};
    next.find(work, kRows);
    bool is_done = next.is_done(work);
    RunSource<Consumers> source(thread);
    CodeRun runs[kPerThread];
    if (!is_done) {
        source.enter(work, next);
#pragma unroll
        for (int i = 0; i < kPerThread; ++i) source.load(runs[i], work, next, i);
    }
    typename StageRing<kStages>::Position at;
    int table_of = -1;
    RunLayout layout{};
    while (!is_done) {
        const int weight = next.weight, n = next.n, first_m = next.first_m;
        const bool has_moved = next.advance(work, kRows);
        is_done = next.is_done(work);
        if (!has_moved) source.advance(work);
        else if (!is_done) source.enter(work, next);
        if (table_of != weight) {
            table_of = weight;
            layout = RunLayout(weights.at[weight], weights.K);
            ptx::barrier_sync(1, kProducers<Consumers>);
            shared.tables.load(weights, weights.at[weight], static_cast<unsigned>(thread), kProducers<Consumers>);
            ptx::barrier_sync(1, kProducers<Consumers>);
        }
        auto& stage = shared.stages[at.stage];
        shared.ring.wait_empty(at);
        if (thread == 0) {
            shared.ring.expect(at, sizeof stage.gradients);
            ptx::tensor_load(stage.gradients, &work.gradients[weight], n, first_m, shared.ring.filled(at));
        }
#pragma unroll
        for (int i = 0; i < kPerThread; ++i) {
            uint4(&line)[kRunWords] = stage.weights[source.panel][source.row + i * source.kRowsApart];
            const auto store = [&](int piece, uint4 eight) { line[piece ^ (thread % 8)] = eight; };
            if (runs[i].count <= 0) {  // dy is zero there, but zero times what is not finite is not
#pragma unroll
                for (int piece = 0; piece < kRunWords; ++piece) store(piece, uint4{});
            } else if (layout.is_whole) {
                runs[i].template decode<T, true>(layout, shared.tables, store);
            } else {
                runs[i].template decode<T, false>(layout, shared.tables, store);
            }
            // The fence waits for what is under way: the last run of the next step is loaded after it, the others have arrived.
            if (i == kPerThread - 1) {
                ptx::fence_proxy_async();
                __syncwarp();
                if (thread % 32 == 0) shared.ring.arrive_filled(at);
            }
            if (!is_done) source.load(runs[i], work, next, i);
        }
        at.advance();
    }
}

__device__ __forceinline__ void multiply(float (&sums)[128], uint64_t a, uint64_t b, __half) {
    ptx::wgmma_f16<false, true>(sums, a, b, true);
}
__device__ __forceinline__ void multiply(float (&sums)[128], uint64_t a, uint64_t b, __nv_bfloat16) {
    ptx::wgmma_bf16<false, true>(sums, a, b, true);
}

// sums += the stage's 64 rows of dy from `gradients` on, times its weights.
template <class T, class Stage>
__device__ __forceinline__ void multiply_stage(float (&sums)[128], const Stage& stage, int first_row) {
    ptx::wgmma_fence();
#pragma unroll
    for (int n = 0; n < kDepth; n += 16)
        multiply(
            sums,
            ptx::wgmma_descriptor(&stage.gradients[first_row][n], 0, 8 * sizeof stage.gradients[0], ptx::WgmmaSwizzle::k128Bytes),
            ptx::wgmma_descriptor(stage.weights[0][n], sizeof stage.weights[0], 8 * sizeof stage.weights[0][0],
                                  ptx::WgmmaSwizzle::k128Bytes),
            T{});
    ptx::wgmma_commit();
}

// Sixteen bytes of dx of which all or none exist.
template <class T>
__device__ __forceinline__ void store_eight(T* to, uint4 eight) {
    if (reinterpret_cast<uintptr_t>(to) % 16 == 0) {
        *reinterpret_cast<uint4*>(to) = eight;
    } else {
        const uint32_t words[4] = {eight.x, eight.y, eight.z, eight.w};
        auto* halves = reinterpret_cast<uint16_t*>(to);
#pragma unroll
        for (int i = 0; i < 8; ++i) halves[i] = static_cast<uint16_t>(words[i / 2] >> 16 * (i % 2));
    }
}

// This warp's 16 rows of sums from first_m on, rounded: through shared memory, so that eight lanes store 128 bytes of a row.
template <class T>
__device__ __forceinline__ void store_rounded(T (&tile)[16][64 + 8], const float (&sums)[128], const Transposed4BitBatch& batch,
                                              int64_t first_m, int64_t first_k) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
    for (int part = 0; part < kColumns / 64; ++part) {
#pragma unroll
        for (int i = 0; i < 16; ++i) {
            const float* two = &sums[32 * part + 2 * i];
            *reinterpret_cast<uint32_t*>(&tile[lane / 4 + i % 2 * 8][i / 2 * 8 + lane % 4 * 2]) = pack_two(two[0], two[1], T{});
        }
        __syncwarp();
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int row = 4 * i + lane / 8, column = lane % 8 * 8;
            const int64_t m = first_m + row, k = first_k + 64 * part + column;
            if (m < batch.M && k < batch.weights.K)
                store_eight(static_cast<T*>(batch.dx.y) + m * batch.dx.ldy + k,
                            *reinterpret_cast<const uint4*>(&tile[row][column]));
        }
        __syncwarp();
    }
}

// The same, to the partial sums: four lanes store 32 bytes.
__device__ __forceinline__ void store_partial(const float (&sums)[128], const Transposed4BitBatch& batch, int64_t split,
                                              int64_t first_m, int64_t first_k) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float* to = batch.partials + (batch.first_part + split) * batch.M * batch.weights.K;
#pragma unroll
    for (int i = 0; i < 64; ++i) {
        const int64_t m = first_m + lane / 4 + i % 2 * 8, k = first_k + i / 2 * 8 + lane % 4 * 2;
        if (m < batch.M && k < batch.weights.K)
            *reinterpret_cast<float2*>(&to[m * batch.weights.K + k]) = make_float2(sums[2 * i], sums[2 * i + 1]);
    }
}

__device__ __forceinline__ int steps_of(const Transposed4BitBatch& batch, int64_t split) {
    int steps = 0;
    for (int i = 0; i < batch.weights.count; ++i) {
        const int64_t rows = min(batch.weights.at[i].N - split * batch.depth, batch.depth);
        if (rows > 0) steps += (static_cast<int>(rows) + kDepth - 1) / kDepth;
    }
    return steps;
}

template <class T, int Consumers>
__device__ __forceinline__ void consume(Shared<T, Consumers>& shared, const Work& work) {
    const Transposed4BitBatch& batch = work.batch;
    const int warp = static_cast<int>(threadIdx.x) / 32, first_row = static_cast<int>(threadIdx.x) / kGroup * 64;
    const bool is_first_lane = threadIdx.x % 32 == 0;
    typename StageRing<kStages>::Position at;
    for (int item = static_cast<int>(blockIdx.x); item < work.items; item += static_cast<int>(gridDim.x)) {
        const Tile tile(work, item);
        const int steps = steps_of(batch, tile.split);
        float sums[128];
#pragma unroll
        for (float& sum : sums) sum = 0.0f;
        auto last = at;
        for (int step = 0; step < steps; ++step) {
            shared.ring.wait_filled(at);
            multiply_stage<T>(sums, shared.stages[at.stage], first_row);
            ptx::wgmma_wait<1>();  // the stage before has been read
            if (step > 0) {
                __syncwarp();
                if (is_first_lane) shared.ring.release(last);
            }
            last = at;
            at.advance();
        }
        ptx::wgmma_wait<0>(sums);
        __syncwarp();
        if (steps > 0 && is_first_lane) shared.ring.release(last);
        const int first_m = tile.m * (64 * Consumers) + 16 * warp, first_k = tile.k * kColumns;
        if (batch.partials != nullptr) store_partial(sums, batch, tile.split, first_m, first_k);
        else store_rounded(shared.sums[warp], sums, batch, first_m, first_k);
    }
}

template <class T, int Consumers>
__global__ void __launch_bounds__(kThreads, 1) matmul_4bit_transposed_wgmma_kernel(const __grid_constant__ Work work) {
    auto& shared = shared_memory<Shared<T, Consumers>>();
    ptx::grid_dependency_launch();
    if (static_cast<int>(threadIdx.x) < work.batch.weights.count) ptx::tensor_prefetch(&work.gradients[threadIdx.x]);
    if (threadIdx.x == 0) shared.ring.init(kProducers<Consumers> / 32 + 1, 4 * Consumers);  // a lane of each warp, and TMA's
    __syncthreads();
    ptx::grid_dependency_wait();
    if (threadIdx.x < kGroup * Consumers) consume(shared, work);
    else produce(shared, work);
}

template <class T, int Consumers>
cudaError_t run(const Transposed4BitBatch& batch, cudaStream_t stream) {
    Work work(batch);
    for (int i = 0; i < batch.weights.count; ++i) {
        const TensorView view{.data = batch.gradients[i].dy,
                              .dtype = batch.dtype,
                              .rows = batch.M,
                              .columns = batch.weights.at[i].N,
                              .ld = batch.gradients[i].ld,
                              .box_rows = 64 * Consumers,
                              .box_columns = kDepth};
        const cudaError_t status = make_tensor_map(&work.gradients[i], view);
        if (status != cudaSuccess) return status;
    }
    work.tiles_m = static_cast<int>(ceil_div(batch.M, 64 * Consumers));
    work.tiles = work.tiles_m * static_cast<int>(ceil_div(batch.weights.K, kColumns));
    work.items = work.tiles * static_cast<int>(batch.splits);
    Launch at{.block = kThreads, .shared_bytes = sizeof(Shared<T, Consumers>), .stream = stream, .overlaps_predecessor = true};
    const cudaError_t status = persistent_grid(work.items, 1, &at.grid);
    if (status != cudaSuccess) return status;
    return launch(at, matmul_4bit_transposed_wgmma_kernel<T, Consumers>, work);
}

}  // namespace

TransposedTiling matmul_4bit_transposed_wgmma_tiling(int64_t M) {
    return {.rows = M <= 64 ? 64 : 128, .columns = kColumns, .step = kDepth, .blocks_per_multiprocessor = 1};
}

cudaError_t matmul_4bit_transposed_wgmma(const Transposed4BitBatch& batch, cudaStream_t stream) {
    if (batch.dtype == DType::kFloat16) return batch.M <= 64 ? run<__half, 1>(batch, stream) : run<__half, 2>(batch, stream);
    return batch.M <= 64 ? run<__nv_bfloat16, 1>(batch, stream) : run<__nv_bfloat16, 2>(batch, stream);
}

}  // namespace halfbyte::cuda
