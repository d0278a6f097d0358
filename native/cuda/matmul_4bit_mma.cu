// y[m, n] = sum over k of x[m, k] * w(n, k) + bias[n] on tensor cores, for 16-bit x, K a multiple of 16 and any table.
// w(n, k) = round(table[code(n, k)] * absmax(block of (n, k))): what halfbyte_dequantize_4bit writes in x's type, bit for bit
// (scaled_table.cuh). x enters as it is; sums are float32, and y is rounded once.
//
// A block of four warps makes 128 rows of W by 128 (or 64) rows of x, 64 k at a time. Weights are the 16-row operand: warp w owns
// rows 32w to 32w + 31, for all rows of x, so that each weight is decoded once and by the lane that needs it. A dot product does
// not mind the order of its terms: lane 4g + t takes the codes of k = 16t to 16t + 15 of rows g, g + 8, g + 16 and g + 24, 8 bytes
// of each, straight to registers, and for each of the four products over 16 k its elements are the next four of these. Sixteen
// codes lie in one block of the weight, wherever its rows begin. Of x the lane then needs k = 16t to 16t + 15 of row g of each
// eight: two 16-byte reads of a swizzled tile in shared memory. While a step is multiplied, the codes and statistics of the next
// and the x of the next two are on their way. K may be split over blocks (matmul_partials.h).
//
// Cycles of a multiprocessor of an A100 per step of 128 x 128 x 64:
//   tensor cores    8 * 16 * 4 products of 16 x 8 x 16, 2 each                                      1024
//   shared memory   x: written once, 16 KB, and read by four warps, 64 KB, at 128 bytes;             128 + 512
//                   codes and statistics: 8 rows per load of a warp, 16 + 16 loads; 16 of tables     256 + 64 at most
//   ALU             3.6 permutes, logic and conversions per weight, 64 lanes                         464
//   issue           74 instructions per lane and 16 codes, and 1500 others, 4 at once                ~470
// Every weight through a shared table would cost 256 more of shared memory, and weights decoded to shared memory 512. Two blocks
// fit a multiprocessor, by registers and (three stages of x, 48 KB) in the 100 KB of sm_86, so that one decodes while the other
// multiplies.
//
// Bytes per weight and 128 rows of x, block size 64: 0.5 packed + 0.0625 statistics. It is bound by arithmetic.
#include "core/formats.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/multiply_add.cuh"
#include "cuda/device/scaled_table.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/sum_tile.cuh"
#include "cuda/device/swizzled_tile.cuh"
#include "cuda/matmul_4bit.h"
#include "cuda/matmul_partials.h"

namespace halfbyte::cuda {
namespace {

constexpr int kThreads = 128, kStages = 3;
constexpr int kStep = 64;               // k: 128 bytes of x
constexpr int kRowsOfWarp = 32;         // of W
constexpr int kRuns = kRowsOfWarp / 8;  // of 16 codes, that a lane takes of a step

// Groups of eight rows of x. Many need all registers, so x that is not aligned to 16 bytes is left to few.
constexpr int kFewGroups = 8, kManyGroups = 16;

template <int Groups>
struct Shared {
    using Tile = SwizzledTile<8 * Groups, kStep / 8>;
    union {
        Tile x[kStages];
        SumTile<float, 8> sums;
    };
    alignas(16) float table[16];
};

// sums += W * x^T over one step. a[strip of 16 rows][product over 16 k].
template <class T, int Groups, class Tile>
__device__ __forceinline__ void add_step(float (&sums)[2][Groups][4], const uint32_t (&a)[2][4][4], const Tile& x) {
    const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
    const int places[2] = {Tile::place(g, 2 * t), Tile::place(g, 2 * t + 1)};  // in row g of every eight
#pragma unroll
    for (int group = 0; group < Groups; ++group) {
        if (group % 8 == 0) __syncwarp();  // x is not read further ahead: registers are few
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const uint4 piece = x.pieces[8 * group + g][places[half]];
            const uint32_t b[2][2] = {{piece.x, piece.y}, {piece.z, piece.w}};
#pragma unroll
            for (int i = 0; i < 2; ++i)
#pragma unroll
                for (int strip = 0; strip < 2; ++strip) multiply_add(sums[strip][group], a[strip][2 * half + i], b[i], T{});
        }
    }
}

// Blocks: the tiles of M within those of N, and the splits of K.
template <class T, int Groups>
__global__ void __launch_bounds__(kThreads, 2)
    matmul_4bit_mma_kernel(const __grid_constant__ MatMul4BitBatch batch, const __grid_constant__ StagedMatrix x, unsigned tiles_m,
                           int64_t depth, int64_t columns) {
    using Tile = typename Shared<Groups>::Tile;
    Shared<Groups>& shared = shared_memory<Shared<Groups>>();
    const unsigned tile = blockIdx.x / tiles_m, tile_m = blockIdx.x % tiles_m;
    const int64_t K = batch.weights.K;
    const int i = weight_of_tile(batch.weights, tile);
    const Weight4Bit& weight = batch.weights.at[i];
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int64_t begin = blockIdx.y * depth;
    const int64_t n = (tile - weight.first) * kMmaTile + warp * kRowsOfWarp + lane / 4;
    int steps = static_cast<int>((min(K - begin, depth) + kStep - 1) / kStep);
    int left = static_cast<int>(min(K - begin, depth)) - lane % 4 * 16;  // k, from this lane's on
    int64_t element = n * K + begin + lane % 4 * 16;
    const int rows = static_cast<int>(min(weight.N - n, int64_t{kRowsOfWarp}));

    ptx::grid_dependency_launch();
    ptx::grid_dependency_wait();
    load_table(shared.table, batch.weights, weight);
    SixteenCodes next[kRuns];
    const auto load_codes = [&] {
        load_runs(
            next, weight, [&](int r) { return element + r * 8 * K; }, [&](int r) { return left > 0 && r * 8 < rows; });
    };
    load_codes();
    TileCopies<Tile, kThreads, Groups == kManyGroups> copies(x, int64_t{tile_m} * (8 * Groups),
                                                             begin * static_cast<int64_t>(sizeof(T)));
#pragma unroll
    for (int stage = 0; stage < kStages - 1; ++stage) {
        if (stage < steps) copies.next(shared.x[stage], x);
        commit_tiles();
    }

    float sums[2][Groups][4] = {};
    int stage = 0;
    for (; steps > 0; --steps) {
        // One barrier per step: the stage that is filled now was last read before it.
        wait_for_tiles<kStages - 2>();
        __syncthreads();
        if (steps >= kStages) copies.next(shared.x[stage == 0 ? kStages - 1 : stage - 1], x);
        commit_tiles();

        uint32_t a[2][4][4];
#pragma unroll
        for (int r = 0; r < kRuns; ++r) {
            uint32_t pairs[8];
            next[r].decode(pairs, shared.table, left > 0, T{});
#pragma unroll
            for (int p = 0; p < 8; ++p) a[r / 2][p / 2][r % 2 + p % 2 * 2] = pairs[p];
        }
        left -= kStep;
        element += kStep;
        load_codes();
        add_step<T>(sums, a, shared.x[stage]);
        stage = stage + 1 == kStages ? 0 : stage + 1;
    }

    const bool is_split = gridDim.y > 1;
    for_each_sum_of_strips<kThreads, 8 * Groups>(
        shared.sums, sums, warp * kRowsOfWarp, 0, [&](int row_of_x, int row_of_weight, float sum) {
            const int64_t m = int64_t{tile_m} * (8 * Groups) + row_of_x, row = (tile - weight.first) * kMmaTile + row_of_weight;
            if (m >= batch.M || row >= weight.N) return;
            if (is_split) batch.partials[(blockIdx.y * batch.M + m) * columns + batch.columns[i] + row] = sum;
            else store<T>(batch.outputs[i], m, row, sum);
        });
}

bool is_few(int64_t M) { return M <= 8 * kFewGroups; }

template <class T, int Groups>
cudaError_t run(const MatMul4BitBatch& batch, const StagedMatrix& x, int64_t columns, cudaStream_t stream) {
    const int64_t tiles_m = ceil_div(batch.M, 8 * Groups), K = batch.weights.K, depth = depth_of_split(K, batch.splits, kStep);
    const Launch at{.grid = dim3(static_cast<unsigned>(batch.tiles * tiles_m), static_cast<unsigned>(ceil_div(K, depth))),
                    .block = kThreads,
                    .shared_bytes = sizeof(Shared<Groups>),
                    .stream = stream,
                    .overlaps_predecessor = true};
    return launch(at, matmul_4bit_mma_kernel<T, Groups>, batch, x, static_cast<unsigned>(tiles_m), depth, columns);
}

template <class T>
cudaError_t run(const MatMul4BitBatch& batch, int64_t columns, cudaStream_t stream) {
    const StagedMatrix x(batch.x, batch.M, batch.weights.K * size_of(batch.dtype), batch.ldx * size_of(batch.dtype));
    return is_few(batch.M) || !x.is_aligned ? run<T, kFewGroups>(batch, x, columns, stream)
                                            : run<T, kManyGroups>(batch, x, columns, stream);
}

}  // namespace

int64_t matmul_4bit_mma_splits(const MatMul4Bit& op) {
    int64_t tiles = 0;
    for (int64_t i = 0; i < op.count; ++i) tiles += ceil_div(op.weights[i].N, kMmaTile);
    return splits_of(tiles * ceil_div(op.M, 8 * (is_few(op.M) ? kFewGroups : kManyGroups)), op.K, 512);
}

cudaError_t matmul_4bit_mma(const MatMul4BitBatch& batch, cudaStream_t stream) {
    const int64_t columns = columns_of(batch);
    const cudaError_t status =
        batch.dtype == DType::kFloat16 ? run<__half>(batch, columns, stream) : run<__nv_bfloat16>(batch, columns, stream);
    const int64_t splits = ceil_div(batch.weights.K, depth_of_split(batch.weights.K, batch.splits, kStep));
    return status != cudaSuccess ? status : add_partials(batch, splits, stream);
}

}  // namespace halfbyte::cuda
