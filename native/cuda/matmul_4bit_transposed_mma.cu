// dx[m, k] = sum over i and n of dy_i[m, n] * (table[code_i(n, k)] * absmax_i(block of (n, k))) on tensor cores, for 16-bit dy.
//
// transposed_mma.cuh has the scheme. The statistics run along k, across the sum, so a value is its product of table and statistic,
// rounded to float32 as halfbyte_dequantize_4bit rounds it, and enters as three planes of bfloat16, exactly; dy enters as one
// plane of bfloat16, or two if it is float16. The error is that of the float32 sums.
//
// A block makes 128 columns by 16 or 64 rows of dx. A thread decodes runs of 8 codes, one word where rows are whole words.
// Bytes per weight and 64 rows of dx, block size 64: 0.5 packed + 0.0625 statistics.
#include "core/formats.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/transposed_mma.cuh"
#include "cuda/matmul_transposed.h"

namespace halfbyte::cuda {
namespace {

constexpr int kWPlanes = 3;
template <class T>
inline constexpr int kDPlanes = 1;
template <>
inline constexpr int kDPlanes<__half> = 2;

template <class T, int Groups>
struct Shared {
    union {
        TransposedStage<kWPlanes, kDPlanes<T>, Groups> stage;
        SumTile<float, Groups> sums;
    };
    float table[16];
};

// Elements k to k + 7 of row n, zero beyond the rows before `end` and the columns before K.
__device__ __forceinline__ void decode_eight(float (&values)[8], const float (&table)[16], const Weight4Bit& weight, int64_t n,
                                             int64_t end, int64_t k, int64_t K) {
    const int64_t element = n * K + k;
    if (weight.is_aligned && n < end && k < K) {
        const uint32_t word = ptx::load_streaming(reinterpret_cast<const uint32_t*>(weight.packed) + element / 8);
        const float absmax = absmax_of_element(weight, element);
#pragma unroll
        for (int i = 0; i < 8; ++i) values[i] = table[code_in_word(word, i)] * absmax;
    } else {
#pragma unroll
        for (int i = 0; i < 8; ++i)
            values[i] = n < end && k + i < K ? table[code_of(weight, element + i)] * absmax_of_element(weight, element + i) : 0.0f;
    }
}

// Blocks: the tiles of M within those of K, and the splits of the rows of W.
template <class T, int Groups>
__global__ void __launch_bounds__(kTransposedThreads, 1)
    matmul_4bit_transposed_mma_kernel(const __grid_constant__ Transposed4BitBatch batch, int64_t tiles_m) {
    Shared<T, Groups>& shared = shared_memory<Shared<T, Groups>>();
    const int64_t K = batch.weights.K, first_m = blockIdx.x % tiles_m * (8 * Groups),
                  first_k = blockIdx.x / tiles_m * kTransposedColumns;
    float sums[Groups][4] = {};
    for (int i = 0; i < batch.weights.count; ++i) {
        const Weight4Bit& weight = batch.weights.at[i];
        const Gradient gradient = batch.gradients[i];
        const auto* dy = static_cast<const T*>(gradient.dy);
        const bool is_aligned = reinterpret_cast<uintptr_t>(dy) % 16 == 0 && gradient.ld % 8 == 0;
        const int64_t begin = blockIdx.y * batch.depth, end = min(weight.N, begin + batch.depth);
        __syncthreads();
        load_table(shared.table, batch.weights, weight);
        __syncthreads();
        for (int64_t n = begin; n < end; n += kTransposedDepth) {
            stage_weights(shared.stage, n, first_k, [&](float(&values)[8], int64_t row, int64_t k) {
                decode_eight(values, shared.table, weight, row, end, k, K);
            });
            bool special = stage_gradients(shared.stage, first_m, n, [&](float(&values)[8], int64_t m, int64_t column) {
                load_gradients(values, dy + m * gradient.ld + column, m < batch.M ? end - column : 0, is_aligned);
            });
            special = __syncthreads_or(special);
            if (special) add_transposed<true>(sums, shared.stage);
            else add_transposed<false>(sums, shared.stage);
            __syncthreads();
        }
    }
    for_each_sum(shared.sums, sums, [&](int row, int column, float sum) {
        if (first_m + row < batch.M && first_k + column < K) store_sum<T>(batch, blockIdx.y, first_m + row, first_k + column, sum);
    });
}

template <class T, int Groups>
cudaError_t run(const Transposed4BitBatch& batch, cudaStream_t stream) {
    const int64_t tiles_m = ceil_div(batch.M, 8 * Groups), tiles_k = ceil_div(batch.weights.K, kTransposedColumns);
    const Launch at{.grid = dim3(static_cast<unsigned>(tiles_m * tiles_k), static_cast<unsigned>(batch.splits)),
                    .block = kTransposedThreads,
                    .shared_bytes = sizeof(Shared<T, Groups>),
                    .stream = stream};
    return launch(at, matmul_4bit_transposed_mma_kernel<T, Groups>, batch, tiles_m);
}

}  // namespace

cudaError_t matmul_4bit_transposed_mma(const Transposed4BitBatch& batch, cudaStream_t stream) {
    if (batch.dtype == DType::kFloat16) return batch.M <= 16 ? run<__half, 2>(batch, stream) : run<__half, 8>(batch, stream);
    return batch.M <= 16 ? run<__nv_bfloat16, 2>(batch, stream) : run<__nv_bfloat16, 8>(batch, stream);
}

}  // namespace halfbyte::cuda
