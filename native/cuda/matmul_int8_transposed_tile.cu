// dx[m, k] = sum over i and n of (dy_i[m, n] * (absmax_i[n] * (1/127))) * codes_i[n, k] in float32, before sm_80.
//
// A block makes a tile of 64 rows by 64 columns of dx (fp32_tile.cuh). The statistics are folded into dy, one rounding; the rest is
// the error of a float32 sum in runs of 32.
// Bytes per weight and 64 rows of dx: 1. It is bound by arithmetic.
#include "core/formats.h"
#include "cuda/device/fp32_tile.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/matmul_transposed.h"

namespace halfbyte::cuda {
namespace {

constexpr float kInverse127 = 1.0f / 127.0f;

// Blocks: the tiles of M within those of K, and the splits of the rows of W.
template <class T>
__global__ void __launch_bounds__(kFp32Threads)
    matmul_int8_transposed_tile_kernel(const __grid_constant__ TransposedInt8Batch batch, int64_t tiles_m) {
    Fp32Tile& shared = shared_memory<Fp32Tile>();
    const int64_t K = batch.weights.K, first_m = blockIdx.x % tiles_m * kFp32Tile, first_k = blockIdx.x / tiles_m * kFp32Tile;
    Fp32Sums sums = {};
    for (int i = 0; i < batch.weights.count; ++i) {
        const WeightInt8Rows& weight = batch.weights.at[i];
        const Gradient gradient = batch.gradients[i];
        const int64_t begin = blockIdx.y * batch.depth, depth = min(weight.N - begin, batch.depth);
        const auto dy = [&](int row, int64_t n) {
            const int64_t m = first_m + row;
            if (m >= batch.M || n >= depth) return 0.0f;
            return to_float(static_cast<const T*>(gradient.dy)[m * gradient.ld + begin + n]) *
                   (weight.absmax[begin + n] * kInverse127);
        };
        const auto code = [&](int column, int64_t n) {
            const int64_t k = first_k + column;
            return k < K && n < depth ? static_cast<float>(weight.codes[(begin + n) * K + k]) : 0.0f;
        };
        add_fp32_tile<false>(shared, sums, depth, dy, code);
    }
#pragma unroll
    for (int a = 0; a < 4; ++a)
#pragma unroll
        for (int b = 0; b < 4; ++b) {
            const int64_t m = first_m + fp32_tile_row() + a, k = first_k + fp32_tile_column() + b;
            if (m < batch.M && k < K) store_sum<T>(batch, blockIdx.y, m, k, sums[a][b]);
        }
}

template <class T>
cudaError_t run(const TransposedInt8Batch& batch, cudaStream_t stream) {
    const int64_t tiles_m = ceil_div(batch.M, kFp32Tile), tiles_k = ceil_div(batch.weights.K, kFp32Tile);
    const Launch at{.grid = dim3(static_cast<unsigned>(tiles_m * tiles_k), static_cast<unsigned>(batch.splits)),
                    .block = kFp32Threads,
                    .shared_bytes = sizeof(Fp32Tile),
                    .stream = stream};
    return launch(at, matmul_int8_transposed_tile_kernel<T>, batch, tiles_m);
}

}  // namespace

cudaError_t matmul_int8_transposed_tile(const TransposedInt8Batch& batch, cudaStream_t stream) {
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
