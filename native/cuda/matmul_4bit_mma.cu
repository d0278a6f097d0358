// y[m, n] = sum over k of x[m, k] * (table[code(n, k)] * absmax(block of (n, k))) + bias[n] on tensor cores, for 16-bit x, K a
// multiple of 32 and the tables of NF4 and FP4.
//
// Table values stay exact: they are sums of planes of x's type (planes.cuh: three of bfloat16, exactly; two of float16, to 2^-23),
// and one product of 16 x 8 x 16 per plane adds up. 32 codes of a row always lie in one block, so the products of 32 k are summed
// on their own and join the row's sum times the statistic, in float32. The error is that of the float32 sums: in a run of 32, a few
// units of 2^-23 of the sum of its magnitudes (tensor cores truncate), and K / 32 roundings that add up like a random walk; no
// term is rounded to 16 bits.
//
// A block of eight warps makes 128 rows of W by 16 or 64 rows of x. Weights are the 16-row operand: warp w owns rows 16w to
// 16w + 15. A dot product does not mind the order of its terms, so lane 4g + t simply takes the 4 consecutive bytes 4t to
// 4t + 3 of the 16 bytes that are 32 codes of rows g and g + 8, and the 8 activations that belong to them, from a stage of x in
// shared memory (row_stage.cuh). While a stage of 64 k is multiplied, the next one's codes, statistics and activations are on their
// way to registers. K may be split over blocks (matmul_partials.h).
//
// Bytes per weight, block size 64: 0.5 packed + 0.0625 statistics; per weight one lookup without conflicts and one permute per pair
// and plane.
#include "core/formats.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/planes.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/row_stage.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/sum_tile.cuh"
#include "cuda/matmul_4bit.h"
#include "cuda/matmul_partials.h"

namespace halfbyte::cuda {
namespace {

constexpr int kChunk = 32;          // k that share a statistic
constexpr int kStage = 2 * kChunk;  // k of a stage: 128 bytes of x

template <class T, int Groups>
union Shared {
    struct {
        RowStage<8 * Groups> stages[2];
        PlaneTable<T> table;
    };
    SumTile<float, Groups> sums;
};

// What a lane takes of two rows of the weight, 8 apart, in one stage.
struct WeightRegisters {
    uint32_t words[2][2];    // [chunk][row]
    float statistics[2][2];  // zero beyond K

    __device__ __forceinline__ void load(const Weight4Bit& weight, const int64_t (&rows)[2], int64_t k, int64_t end, float scale) {
        const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
        for (int c = 0; c < 2; ++c)
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                const int64_t element = rows[r] + k + c * kChunk;
                const bool exists = k + c * kChunk < end;
                words[c][r] =
                    exists ? ptx::load_streaming(reinterpret_cast<const uint32_t*>(weight.packed) + element / 8 + lane % 4) : 0;
                statistics[c][r] = exists ? absmax_of_sum(weight, element) * scale : 0.0f;
            }
    }
};

// sums += x * W^T over one stage.
template <bool Special, class T, int Groups>
__device__ __forceinline__ void add_stage(float (&sums)[Groups][4], const RowStage<8 * Groups>& stage, const PlaneTable<T>& table,
                                          const WeightRegisters& weights) {
    constexpr int kPlanes = PlaneTable<T>::kPlanes;
#pragma unroll
    for (int c = 0; c < 2; ++c) {
        uint32_t a[2][kPlanes][4];  // [step of 16 k][plane]
#pragma unroll
        for (int step = 0; step < 2; ++step)
#pragma unroll
            for (int r = 0; r < 4; ++r) {  // register r: row g + 8 * (r & 1), the step's first pair of codes or its second
                const int pair = 4 * step + 2 * (r >> 1);
                uint32_t planes[kPlanes];
                table.get(planes, code_in_word(weights.words[c][r & 1], pair), code_in_word(weights.words[c][r & 1], pair + 1));
#pragma unroll
                for (int p = 0; p < kPlanes; ++p) a[step][p][r] = planes[p];
            }
#pragma unroll
        for (int group = 0; group < Groups; ++group) {
            const uint4 x = stage_fragment(stage, 8 * group, c);
            const uint32_t b[2][2] = {{x.x, x.y}, {x.z, x.w}};
            float part[4] = {};
#pragma unroll
            for (int p = kPlanes - 1; p >= 0; --p)  // small terms first
#pragma unroll
                for (int step = 0; step < 2; ++step) {
                    if (Special && p > 0) {
                        const uint32_t finite[2] = {without_special<T>(b[step][0]), without_special<T>(b[step][1])};
                        multiply_add(part, a[step][p], finite, T{});
                    } else {
                        multiply_add(part, a[step][p], b[step], T{});
                    }
                }
#pragma unroll
            for (int e = 0; e < 4; ++e) sums[group][e] += part[e] * weights.statistics[c][e >> 1];
        }
    }
}

// Groups: of eight rows of x. Blocks: the tiles of M within those of N, and the splits of K.
template <class T, int Groups>
__global__ void __launch_bounds__(kStageThreads, 1)
    matmul_4bit_mma_kernel(const __grid_constant__ MatMul4BitBatch batch, const __grid_constant__ StagedMatrix x, int64_t tiles_m,
                           int64_t depth, int64_t columns) {
    Shared<T, Groups>& shared = shared_memory<Shared<T, Groups>>();
    const int64_t tile = blockIdx.x / tiles_m, first_m = blockIdx.x % tiles_m * (8 * Groups), K = batch.weights.K;
    const int i = weight_of_tile(batch.weights, tile);
    const Weight4Bit& weight = batch.weights.at[i];
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int64_t n = (tile - weight.first) * kMmaTile + warp * 16 + lane / 4;
    // Rows beyond N repeat the last, and are not stored.
    const int64_t rows[2] = {min(n, weight.N - 1) * K, min(n + 8, weight.N - 1) * K};
    const int64_t begin = blockIdx.y * depth, end = min(K, begin + depth);
    constexpr float kUnscale = 1.0f / PlaneTable<T>::kScale;

    WeightRegisters weights;
    StageRegisters<8 * Groups> activations;
    weights.load(weight, rows, begin, end, kUnscale);
    activations.load(x, first_m, begin * static_cast<int64_t>(sizeof(T)));
    if (threadIdx.x < 16) shared.table.set(static_cast<int>(threadIdx.x), table_value(batch.weights, weight, threadIdx.x));

    float sums[Groups][4] = {};
    int stage = 0;
    for (int64_t k = begin; k < end; k += kStage, stage ^= 1) {
        bool special = false;
#pragma unroll
        for (const uint4& words : activations.words) special |= has_special<T>(words);
        activations.store(shared.stages[stage]);
        // One barrier per stage: what it overwrites was last read before the barrier of the stage before.
        special = __syncthreads_or(special);
        const WeightRegisters current = weights;
        if (k + kStage < end) {
            weights.load(weight, rows, k + kStage, end, kUnscale);
            activations.load(x, first_m, (k + kStage) * static_cast<int64_t>(sizeof(T)));
        }
        if (special) add_stage<true>(sums, shared.stages[stage], shared.table, current);
        else add_stage<false>(sums, shared.stages[stage], shared.table, current);
    }

    const bool is_split = gridDim.y > 1;
    for_each_sum(shared.sums, sums, [&](int row_of_x, int row_of_weight, float sum) {
        const int64_t m = first_m + row_of_x, row = (tile - weight.first) * kMmaTile + row_of_weight;
        if (m >= batch.M || row >= weight.N) return;
        if (is_split) batch.partials[(blockIdx.y * batch.M + m) * columns + batch.columns[i] + row] = sum;
        else store<T>(batch.outputs[i], m, row, sum);
    });
}

template <class T, int Groups>
cudaError_t run(const MatMul4BitBatch& batch, int64_t columns, cudaStream_t stream) {
    const int64_t tiles_m = ceil_div(batch.M, 8 * Groups), K = batch.weights.K, depth = depth_of_split(K, batch.splits, kStage);
    const auto size = static_cast<int64_t>(sizeof(T));
    const StagedMatrix x(batch.x, batch.M, K * size, batch.ldx * size);
    const Launch at{.grid = dim3(static_cast<unsigned>(batch.tiles * tiles_m), static_cast<unsigned>(ceil_div(K, depth))),
                    .block = kStageThreads,
                    .shared_bytes = sizeof(Shared<T, Groups>),
                    .stream = stream};
    return launch(at, matmul_4bit_mma_kernel<T, Groups>, batch, x, tiles_m, depth, columns);
}

}  // namespace

int64_t matmul_4bit_mma_splits(const MatMul4Bit& op) {
    int64_t tiles = 0;
    for (int64_t i = 0; i < op.count; ++i) tiles += ceil_div(op.weights[i].N, kMmaTile);
    return splits_of(tiles * ceil_div(op.M, op.M <= 16 ? 16 : 64), op.K, 512);
}

cudaError_t matmul_4bit_mma(const MatMul4BitBatch& batch, cudaStream_t stream) {
    const int32_t last = batch.weights.count - 1;
    const int64_t columns = batch.columns[last] + batch.weights.at[last].N;
    const bool is_half = batch.dtype == DType::kFloat16, is_narrow = batch.M <= 16;
    const cudaError_t status = is_half ? is_narrow ? run<__half, 2>(batch, columns, stream) : run<__half, 8>(batch, columns, stream)
                               : is_narrow ? run<__nv_bfloat16, 2>(batch, columns, stream)
                                           : run<__nv_bfloat16, 8>(batch, columns, stream);
    const int64_t splits = ceil_div(batch.weights.K, depth_of_split(batch.weights.K, batch.splits, kStage));
    if (status != cudaSuccess || splits == 1) return status;
    Partials partials{
        .sums = batch.partials, .splits = splits, .M = batch.M, .columns = columns, .count = batch.weights.count, .at = {}};
    static_assert(kWeightsPerLaunch <= Partials::kMost);
    for (int32_t i = 0; i < batch.weights.count; ++i) partials.at[i] = {batch.outputs[i], batch.columns[i]};
    return add_partials(partials, batch.dtype, stream);
}

}  // namespace halfbyte::cuda
