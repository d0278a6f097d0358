// dx[m, k] = sum over i and n of (dy_i[m, n] * (absmax_i[n] * (1/127))) * codes_i[n, k] on tensor cores, for dy of every type.
//
// transposed_mma.cuh has the scheme. The statistics are folded into dy, one rounding to float32; what that gives enters as three
// planes of bfloat16, exactly, and a code is a bfloat16 as it is. The error is that of the fold and of the float32 sums.
//
// A block makes 128 columns by 16 or 64 rows of dx. A thread takes runs of 8 codes, in one load where rows are aligned.
// Bytes per weight and 64 rows of dx: 1.
#include "core/formats.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/transposed_mma.cuh"
#include "cuda/matmul_transposed.h"

namespace halfbyte::cuda {
namespace {

constexpr int kPlanes = 3;  // of dy
constexpr float kInverse127 = 1.0f / 127.0f;

template <int Groups>
union Shared {
    TransposedStage<kPlanes, Groups> stage;
    SumTile<float, Groups> sums;
};

// Codes k to k + 7 of row n, zero beyond the rows before `end` and the columns before K.
__device__ __forceinline__ void widen_eight(float (&values)[8], const WeightInt8Rows& weight, int64_t n, int64_t end, int64_t k,
                                            int64_t K) {
    const int8_t* from = weight.codes + n * K + k;
    if (weight.is_aligned && n < end && k < K) {
        const uint2 words = ptx::load_coherent_streaming(reinterpret_cast<const uint2*>(from));
#pragma unroll
        for (int i = 0; i < 8; ++i) values[i] = static_cast<float>(static_cast<int8_t>((i < 4 ? words.x : words.y) >> (i % 4 * 8)));
    } else {
#pragma unroll
        for (int i = 0; i < 8; ++i) values[i] = n < end && k + i < K ? static_cast<float>(from[i]) : 0.0f;
    }
}

// Blocks: the tiles of M within those of K, and the splits of the rows of W.
template <class T, int Groups>
__global__ void __launch_bounds__(kTransposedThreads, 1)
    matmul_int8_transposed_mma_kernel(const __grid_constant__ TransposedInt8Batch batch, int64_t tiles_m) {
    Shared<Groups>& shared = shared_memory<Shared<Groups>>();
    const int64_t K = batch.weights.K, first_m = blockIdx.x % tiles_m * (8 * Groups),
                  first_k = blockIdx.x / tiles_m * kTransposedColumns;
    float sums[Groups][4] = {};
    ptx::grid_dependency_launch();
    ptx::grid_dependency_wait();
    for (int i = 0; i < batch.weights.count; ++i) {
        const WeightInt8Rows& weight = batch.weights.at[i];
        const Gradient gradient = batch.gradients[i];
        const auto* dy = static_cast<const T*>(gradient.dy);
        const bool is_aligned =
            reinterpret_cast<uintptr_t>(dy) % 16 == 0 && gradient.ld * static_cast<int64_t>(sizeof(T)) % 16 == 0;
        const int64_t begin = blockIdx.y * batch.depth, end = min(weight.N, begin + batch.depth);
        for (int64_t n = begin; n < end; n += kTransposedDepth) {
            stage_weights(shared.stage, n, first_k,
                          [&](float(&values)[8], int64_t row, int64_t k) { widen_eight(values, weight, row, end, k, K); });
            stage_gradients(shared.stage, first_m, n, [&](float(&values)[8], int64_t m, int64_t column) {
                load_gradients(values, dy + m * gradient.ld + column, m < batch.M ? end - column : 0, is_aligned);
#pragma unroll
                for (int e = 0; e < 8; ++e)
                    if (column + e < end) values[e] *= weight.absmax[column + e] * kInverse127;
            });
            __syncthreads();
            add_transposed(sums, shared.stage);
            __syncthreads();
        }
    }
    for_each_sum(shared.sums, sums, [&](int row, int column, float sum) {
        if (first_m + row < batch.M && first_k + column < K) store_sum<T>(batch, blockIdx.y, first_m + row, first_k + column, sum);
    });
}

template <class T, int Groups>
cudaError_t run(const TransposedInt8Batch& batch, cudaStream_t stream) {
    const int64_t tiles_m = ceil_div(batch.M, 8 * Groups), tiles_k = ceil_div(batch.weights.K, kTransposedColumns);
    const Launch at{.grid = dim3(static_cast<unsigned>(tiles_m * tiles_k), static_cast<unsigned>(batch.splits)),
                    .block = kTransposedThreads,
                    .shared_bytes = sizeof(Shared<Groups>),
                    .stream = stream,
                    .overlaps_predecessor = true};
    return launch(at, matmul_int8_transposed_mma_kernel<T, Groups>, batch, tiles_m);
}

template <class T>
cudaError_t run(const TransposedInt8Batch& batch, cudaStream_t stream) {
    return batch.M <= 16 ? run<T, 2>(batch, stream) : run<T, 8>(batch, stream);
}

}  // namespace

cudaError_t matmul_int8_transposed_mma(const TransposedInt8Batch& batch, cudaStream_t stream) {
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
