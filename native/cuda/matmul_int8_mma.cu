// y[m, n] = (float(sum over k of qx[m, k] * codes[n, k]) * (ax[m] * (1/127)) + sum over c in C of x[m, c] * codes[n, c])
//           * (absmax[n] * (1/127)) + bias[n]
// in float32, in this order and C ascending, except that the first sum is exact. One rounding to y's type at the end.
//
// A block of eight warps makes 128 rows of W by 16 or 64 rows of x with int8 tensor-core products. Weights are the 16-row operand:
// warp w owns rows 16w to 16w + 15. A dot product does not mind the order of its terms, so lane 4g + t takes the 16
// consecutive codes 16t to 16t + 15 of 64 of rows g and g + 8, in one load each, and the codes of x that belong to them from a
// stage in shared memory (row_stage.cuh): two products of 16 x 8 x 32. While a stage of 128 k is multiplied, the next one is on
// its way to registers. Rows that are not aligned are read byte by byte.
//
// int32 holds the sum of 2^17 products. K is split over blocks where there are few of them, and at least so often that no part is
// deeper; a second kernel adds the parts, in int64. So the sum is exact for any K.
//
// Bytes per weight: 1. The outliers are few: each output element gathers its own.
#include "core/formats.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/row_stage.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/sum_tile.cuh"
#include "cuda/device/weights_4bit.cuh"
#include "cuda/matmul_int8.h"

namespace halfbyte::cuda {
namespace {

constexpr int kThreads = 256;
constexpr float kInverse127 = 1.0f / 127.0f;

template <int Groups>
union Shared {
    RowStage<8 * Groups> stages[2];
    SumTile<int32_t, Groups> sums;
};

// d += a * b, 16 x 8 x 32.
__device__ __forceinline__ void multiply_add(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    if (ptx::since(80)) return ptx::mma_m16n8k32_s8(d, a, b);
    int32_t upper[2] = {d[0], d[1]}, lower[2] = {d[2], d[3]};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const uint32_t a_upper[1] = {a[2 * half]}, a_lower[1] = {a[2 * half + 1]}, b_half[1] = {b[half]};
        ptx::mma_m8n8k16_s8(upper, a_upper, b_half);
        ptx::mma_m8n8k16_s8(lower, a_lower, b_half);
    }
    d[0] = upper[0], d[1] = upper[1], d[2] = lower[0], d[3] = lower[1];
}

// From the exact sum to y.
template <class T>
__device__ __forceinline__ void finish(const MatMulInt8Batch& batch, const WeightInt8& weight, int64_t m, int64_t n, float sum) {
    float value = 0.0f;
    if (batch.K > 0) {
        value = sum * (batch.absmax[m] * kInverse127);
        const int64_t outliers = batch.outlier_count != nullptr ? *batch.outlier_count : 0;
        for (int64_t i = 0; i < outliers; ++i) {
            const int64_t column = batch.outlier_columns[i];
            value += to_float(static_cast<const T*>(batch.x)[m * batch.ldx + column]) *
                     static_cast<float>(weight.codes[n * batch.K + column]);
        }
        value *= weight.absmax[n] * kInverse127;
    }
    store<T>(weight.output, m, n, value);
}

// What a lane takes of two rows of the weight, 8 apart, in one stage.
struct WeightRegisters {
    uint4 words[2][2];  // [chunk][row]

    __device__ __forceinline__ void load(const WeightInt8& weight, const int64_t (&rows)[2], int64_t k, int64_t end) {
        const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
        for (int c = 0; c < 2; ++c)
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                const int64_t first = k + c * 64 + lane % 4 * 16;
                const auto* from = reinterpret_cast<const unsigned char*>(weight.codes) + rows[r] + first;
                words[c][r] = load_16(from, end - first, weight.is_aligned);
            }
    }
};

// Groups: of eight rows of x. Blocks: the tiles of M within those of N, and the splits of K.
template <class T, int Groups>
__global__ void __launch_bounds__(kThreads, 1)
    matmul_int8_mma_kernel(const __grid_constant__ MatMulInt8Batch batch, const __grid_constant__ StagedMatrix x, int64_t tiles_m) {
    Shared<Groups>& shared = shared_memory<Shared<Groups>>();
    const int64_t tile = blockIdx.x / tiles_m, first_m = blockIdx.x % tiles_m * (8 * Groups);
    const WeightInt8& weight = batch.at[weight_of_tile(batch, tile)];
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int64_t n = (tile - weight.first) * kInt8Tile + warp * 16 + lane / 4;
    // Rows beyond N repeat the last, and are not stored.
    const int64_t rows[2] = {min(n, weight.N - 1) * batch.K, min(n + 8, weight.N - 1) * batch.K};
    const int64_t begin = blockIdx.y * batch.depth, end = min(batch.K, begin + batch.depth);

    ptx::grid_dependency_launch();
    ptx::grid_dependency_wait();
    WeightRegisters weights;
    StageRegisters<8 * Groups> activations;
    weights.load(weight, rows, begin, end);
    activations.load(x, first_m, begin);
    int32_t sums[Groups][4] = {};
    int stage = 0;
    for (int64_t k = begin; k < end; k += kStageBytes, stage ^= 1) {
        activations.store(shared.stages[stage]);
        __syncthreads();  // one per stage: what it overwrites was last read before the barrier of the stage before
        const WeightRegisters current = weights;
        if (k + kStageBytes < end) {
            weights.load(weight, rows, k + kStageBytes, end);
            activations.load(x, first_m, k + kStageBytes);
        }
#pragma unroll
        for (int c = 0; c < 2; ++c) {
            const uint4 upper = current.words[c][0], lower = current.words[c][1];
            const uint32_t a[2][4] = {{upper.x, lower.x, upper.y, lower.y}, {upper.z, lower.z, upper.w, lower.w}};
#pragma unroll
            for (int group = 0; group < Groups; ++group) {
                const uint4 codes = stage_fragment(shared.stages[stage], 8 * group, c);
                const uint32_t b[2][2] = {{codes.x, codes.y}, {codes.z, codes.w}};
                multiply_add(sums[group], a[0], b[0]);
                multiply_add(sums[group], a[1], b[1]);
            }
        }
    }

    for_each_sum(shared.sums, sums, [&](int row_of_x, int row_of_weight, int32_t sum) {
        const int64_t m = first_m + row_of_x, row = (tile - weight.first) * kInt8Tile + row_of_weight;
        if (m >= batch.M || row >= weight.N) return;
        if (batch.splits > 1) batch.partials[(blockIdx.y * batch.M + m) * batch.columns + weight.column + row] = sum;
        else finish<T>(batch, weight, m, row, static_cast<float>(sum));
    });
}

// The end of a product that was split: one thread per element adds its parts.
template <class T>
__global__ void __launch_bounds__(kThreads) finish_matmul_int8_kernel(const __grid_constant__ MatMulInt8Batch batch) {
    ptx::grid_dependency_launch();
    const int64_t element = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    ptx::grid_dependency_wait();
    if (element >= batch.M * batch.columns) return;
    const int64_t m = element / batch.columns, column = element % batch.columns;
    int i = 0;
    while (i + 1 < batch.count && column >= batch.at[i + 1].column) ++i;
    int64_t sum = 0;
    for (int64_t s = 0; s < batch.splits; ++s) sum += batch.partials[(s * batch.M + m) * batch.columns + column];
    finish<T>(batch, batch.at[i], m, column - batch.at[i].column, static_cast<float>(sum));
}

template <class T, int Groups>
cudaError_t run(const MatMulInt8Batch& batch, cudaStream_t stream) {
    const int64_t tiles_m = ceil_div(batch.M, 8 * Groups);
    const StagedMatrix x(batch.codes, batch.M, batch.K, batch.K);
    const Launch at{.grid = dim3(static_cast<unsigned>(batch.tiles * tiles_m), static_cast<unsigned>(batch.splits)),
                    .block = kThreads,
                    .shared_bytes = sizeof(Shared<Groups>),
                    .stream = stream,
                    .overlaps_predecessor = true};
    const cudaError_t status = launch(at, matmul_int8_mma_kernel<T, Groups>, batch, x, tiles_m);
    if (status != cudaSuccess || batch.splits == 1) return status;
    const Launch end{.grid = static_cast<unsigned>(ceil_div(batch.M * batch.columns, kThreads)),
                     .block = kThreads,
                     .stream = stream,
                     .overlaps_predecessor = true};
    return launch(end, finish_matmul_int8_kernel<T>, batch);
}

template <class T>
cudaError_t run(const MatMulInt8Batch& batch, cudaStream_t stream) {
    return batch.M <= 16 ? run<T, 2>(batch, stream) : run<T, 8>(batch, stream);
}

}  // namespace

cudaError_t matmul_int8_mma(const MatMulInt8Batch& batch, cudaStream_t stream) {
    switch (batch.dtype) {
        case DType::kFloat32:
            return run<float>(batch, stream);
        case DType::kFloat16:
            return run<__half>(batch, stream);
        case DType::kBFloat16:
            return run<__nv_bfloat16>(batch, stream);
    }
    return cudaErrorInvalidValue;
}

}  // namespace halfbyte::cuda
