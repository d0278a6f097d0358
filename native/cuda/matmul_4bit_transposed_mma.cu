// dx[m, k] = sum over i and n of dy_i[m, n] * w_i(n, k) on tensor cores, for 16-bit dy.
// w_i(n, k) = round(table_i[code_i(n, k)] * absmax_i(block of (n, k))): what halfbyte_dequantize_4bit writes in dy's type, bit for
// bit (scaled_table.cuh). dy enters as it is; sums are float32, and dx is rounded once.
//
// A block of four warps makes 128 columns by 128 (or 64, or 16) rows of dx, 32 rows of W at a time. The sum runs over n, while
// bytes and statistics run along k; so W is decoded to shared memory as it lies, [n][k], each weight once, and transposed on the
// way to registers by ldmatrix, where the columns of dx are the 16-row operand. A thread decodes two runs of 16 codes of a row per
// step: four lanes of a warp take 32 consecutive bytes of a row. dy comes by cp.async, [m][n], in the order of the other operand.
// One barrier per step: while a step is multiplied, the weights of the next are decoded into the other of two tiles, between the
// products of the first 16 rows and those of the last; the codes of the one after are on their way to registers, and dy of the next
// two to shared memory. Where K is no multiple of 16 weights are decoded one by one.
//
// Cycles of a multiprocessor of an A100 per step of 128 x 128 x 32:
//   tensor cores    8 * 16 * 2 products of 16 x 8 x 16, 2 each                                       512
//   shared memory   dy and W: written once, 8 KB, and read twice, 16 KB, at 128 bytes               2 * (64 + 128)
//                   codes and statistics: 8 rows per load of a warp, 8 + 8 loads; 16 of tables      128 + 64 at most
//   ALU             3.6 permutes, logic and conversions per weight, 64 lanes                         230
// Two blocks fit a multiprocessor, by registers and (40 KB) in the 100 KB of sm_86.
//
// Bytes per weight and 128 rows of dx, block size 64: 0.5 packed + 0.0625 statistics. It is bound by arithmetic.
#include "core/formats.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/multiply_add.cuh"
#include "cuda/device/scaled_table.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/sum_tile.cuh"
#include "cuda/device/swizzled_tile.cuh"
#include "cuda/matmul_transposed.h"

namespace halfbyte::cuda {
namespace {

constexpr int kThreads = 128, kStages = 3;
constexpr int kColumns = kSumColumns;  // of dx
constexpr int kStep = 32;              // rows of W
constexpr int kRuns = kStep * kColumns / 16 / kThreads;

using WeightTile = SwizzledTile<kStep, kColumns / 8>;

// Rows: of dx.
template <int Rows>
struct Shared {
    using GradientTile = SwizzledTile<Rows, kStep / 8>;
    union {
        struct {
            GradientTile dy[kStages];
            WeightTile w[2];
        };
        SumTile<float, (Rows < 64 ? Rows : 64) / 8> sums;
    };
    alignas(16) float table[16];
};

// A step of a weight on its way to a tile. Run r of a thread: row threadIdx.x / 4, columns 64r + 16 * (threadIdx.x % 4) and on.
class WeightSteps {
   public:
    // Rows `begin` and on, as far as `end`, columns `first` and on.
    __device__ __forceinline__ WeightSteps(const Weight4Bit& weight, int64_t begin, int64_t end, int64_t first, int64_t K)
        : left_(static_cast<int>(end - begin) - row()),
          columns_(static_cast<int>(min(K - first - column(0), int64_t{kColumns}))),
          element_((begin + row()) * K + first + column(0)),
          is_whole_(K % 16 == 0 && reinterpret_cast<uintptr_t>(weight.packed) % 8 == 0) {}

    // Loads the codes of a step.
    __device__ __forceinline__ void load(const Weight4Bit& weight) {
        load_runs(
            runs_, weight, [&](int r) { return element_ + 64 * r; }, [&](int r) { return is_whole_ && exists(r); });
    }

    // Decodes run r of the step that was loaded.
    template <class T>
    __device__ __forceinline__ void decode(WeightTile& tile, int r, const Weight4Bit& weight, const float (&table)[16], T) const {
        if (!is_whole_) return decode_one_by_one<T>(tile, r, weight, table);
        uint32_t pairs[8];
        runs_[r].decode(pairs, table, exists(r), T{});
#pragma unroll
        for (int half = 0; half < 2; ++half)
            tile.at(row(), column(r) / 8 + half) =
                make_uint4(pairs[4 * half], pairs[4 * half + 1], pairs[4 * half + 2], pairs[4 * half + 3]);
    }

    __device__ __forceinline__ void advance(int64_t K) {
        element_ += kStep * K;
        left_ -= kStep;
    }

   private:
    __device__ __forceinline__ static int row() { return static_cast<int>(threadIdx.x) / 4; }
    __device__ __forceinline__ static int column(int r) { return 64 * r + static_cast<int>(threadIdx.x) % 4 * 16; }
    __device__ __forceinline__ bool exists(int r) const { return left_ > 0 && columns_ > 64 * r; }

    template <class T>
    __device__ __forceinline__ void decode_one_by_one(WeightTile& tile, int r, const Weight4Bit& weight,
                                                      const float (&table)[16]) const {
#pragma unroll 1
        for (int i = 0; i < 16; ++i) {
            const int64_t element = element_ + 64 * r + i;
            float value = 0;
            if (left_ > 0 && columns_ > 64 * r + i)
                value = table[code_of(weight, element)] * absmax_of_element<true>(weight, element);
            reinterpret_cast<T*>(&tile.at(row(), column(r) / 8 + i / 8))[i % 8] = from_float<T>(value);
        }
    }

    SixteenCodes runs_[kRuns];
    int left_, columns_;  // of rows and columns, from this thread's first on
    int64_t element_;
    bool is_whole_;  // sixteen codes of a row are one aligned load, and lie in one block
};

template <class T>
__host__ __device__ __forceinline__ StagedMatrix matrix_of(const Gradient& gradient, int64_t M, int64_t N) {
    constexpr auto kSize = static_cast<int64_t>(sizeof(T));
    return {gradient.dy, M, N * kSize, gradient.ld * kSize};
}

// What a warp owns of the block's tile of dx.
template <int Rows>
struct WarpTile {
    static constexpr int kWarpsOfRows = Rows == 128 ? 2 : 1, kWarpsOfColumns = 4 / kWarpsOfRows;
    static constexpr int kRows = Rows / kWarpsOfRows, kWarpColumns = kColumns / kWarpsOfColumns;
    static constexpr int kStrips = kWarpColumns / 16, kGroups = kRows / 8;
    using Sums = float[kStrips][kGroups][4];

    __device__ __forceinline__ static int first_row() { return static_cast<int>(threadIdx.x) / 32 / kWarpsOfColumns * kRows; }
    __device__ __forceinline__ static int first_column() {
        return static_cast<int>(threadIdx.x) / 32 % kWarpsOfColumns * kWarpColumns;
    }
};

// sums += dy * W over 16 rows of W, those from 16 * `step` on of the tiles.
template <class T, int Rows>
__device__ __forceinline__ void add_sixteen(typename WarpTile<Rows>::Sums& sums, const typename Shared<Rows>::GradientTile& dy,
                                            const WeightTile& w, int step) {
    using Warp = WarpTile<Rows>;
    const int lane = static_cast<int>(threadIdx.x) % 32, matrix = lane / 8;
    uint32_t a[Warp::kStrips][4];
#pragma unroll
    for (int strip = 0; strip < Warp::kStrips; ++strip)
        ptx::load_matrix_transposed(
            a[strip], &w.at(16 * step + matrix / 2 * 8 + lane % 8, Warp::first_column() / 8 + 2 * strip + matrix % 2));
#pragma unroll
    for (int pair = 0; pair < Warp::kGroups / 2; ++pair) {
        uint32_t words[4];
        ptx::load_matrix(words, &dy.at(Warp::first_row() + 16 * pair + matrix / 2 * 8 + lane % 8, 2 * step + matrix % 2));
        const uint32_t b[2][2] = {{words[0], words[1]}, {words[2], words[3]}};
#pragma unroll
        for (int i = 0; i < 2; ++i)
#pragma unroll
            for (int strip = 0; strip < Warp::kStrips; ++strip) multiply_add(sums[strip][2 * pair + i], a[strip], b[i], T{});
    }
}

// Blocks: the tiles of M within those of K, and the splits of the rows of W.
template <class T, int Rows>
__global__ void __launch_bounds__(kThreads, 2)
    matmul_4bit_transposed_mma_kernel(const __grid_constant__ Transposed4BitBatch batch, int64_t tiles_m) {
    using Tile = typename Shared<Rows>::GradientTile;
    Shared<Rows>& shared = shared_memory<Shared<Rows>>();
    const int64_t K = batch.weights.K, first_m = blockIdx.x % tiles_m * Rows, first_k = blockIdx.x / tiles_m * kColumns;
    const int64_t begin = blockIdx.y * batch.depth;
    typename WarpTile<Rows>::Sums sums = {};
    ptx::grid_dependency_launch();
    ptx::grid_dependency_wait();
    for (int i = 0; i < batch.weights.count; ++i) {
        const Weight4Bit& weight = batch.weights.at[i];
        const int64_t end = min(weight.N, begin + batch.depth);
        if (begin >= end) continue;
        const StagedMatrix dy = matrix_of<T>(batch.gradients[i], batch.M, weight.N);
        // 128 rows need all registers, so dy that is not aligned to 16 bytes is left to tiles of fewer.
        TileCopies<Tile, kThreads, Rows == 128> gradients(dy, first_m, begin * static_cast<int64_t>(sizeof(T)));
        WeightSteps weights(weight, begin, end, first_k, K);
        int steps = static_cast<int>((end - begin + kStep - 1) / kStep);

        __syncthreads();  // the weight before this one is done
        load_table(shared.table, batch.weights, weight);
        weights.load(weight);
#pragma unroll
        for (int stage = 0; stage < kStages - 1; ++stage) {
            if (stage < steps) gradients.next(shared.dy[stage], dy);
            commit_tiles();
        }
        __syncthreads();
#pragma unroll
        for (int r = 0; r < kRuns; ++r) weights.decode(shared.w[0], r, weight, shared.table, T{});
        weights.advance(K);
        weights.load(weight);

        int stage = 0;
        for (int step = 0; step < steps; ++step) {
            // What is written from here to the next barrier was last read before this one.
            wait_for_tiles<kStages - 2>();
            __syncthreads();
            if (step + kStages <= steps) gradients.next(shared.dy[stage == 0 ? kStages - 1 : stage - 1], dy);
            commit_tiles();
            static_assert(kRuns == 2 && kStep == 32);
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                if (step + 1 < steps) weights.decode(shared.w[(step + 1) % 2], half, weight, shared.table, T{});
                add_sixteen<T, Rows>(sums, shared.dy[stage], shared.w[step % 2], half);
            }
            weights.advance(K);
            weights.load(weight);
            stage = stage + 1 == kStages ? 0 : stage + 1;
        }
    }
    for_each_sum_of_strips<kThreads, Rows>(shared.sums, sums, WarpTile<Rows>::first_column(), WarpTile<Rows>::first_row(),
                                           [&](int row, int column, float sum) {
                                               if (first_m + row < batch.M && first_k + column < K)
                                                   store_sum<T>(batch, blockIdx.y, first_m + row, first_k + column, sum);
                                           });
}

template <class T, int Rows>
cudaError_t run(const Transposed4BitBatch& batch, cudaStream_t stream) {
    const int64_t tiles_m = ceil_div(batch.M, Rows), tiles_k = ceil_div(batch.weights.K, kColumns);
    const Launch at{.grid = dim3(static_cast<unsigned>(tiles_m * tiles_k), static_cast<unsigned>(batch.splits)),
                    .block = kThreads,
                    .shared_bytes = sizeof(Shared<Rows>),
                    .stream = stream,
                    .overlaps_predecessor = true};
    return launch(at, matmul_4bit_transposed_mma_kernel<T, Rows>, batch, tiles_m);
}

template <class T>
cudaError_t run(const Transposed4BitBatch& batch, cudaStream_t stream) {
    bool is_aligned = true;
    for (int32_t i = 0; i < batch.weights.count; ++i)
        is_aligned &= matrix_of<T>(batch.gradients[i], batch.M, batch.weights.at[i].N).is_aligned;
    switch (matmul_4bit_transposed_mma_rows(batch.M)) {
        case 16:
            return run<T, 16>(batch, stream);
        case 64:
            return run<T, 64>(batch, stream);
        default:
            return is_aligned ? run<T, 128>(batch, stream) : run<T, 64>(batch, stream);
    }
}

}  // namespace

int64_t matmul_4bit_transposed_mma_rows(int64_t M) { return M <= 16 ? 16 : M <= 64 ? 64 : 128; }

cudaError_t matmul_4bit_transposed_mma(const Transposed4BitBatch& batch, cudaStream_t stream) {
    return batch.dtype == DType::kFloat16 ? run<__half>(batch, stream) : run<__nv_bfloat16>(batch, stream);
}

}  // namespace halfbyte::cuda
