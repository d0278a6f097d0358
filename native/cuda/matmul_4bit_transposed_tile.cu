// dx[m, k] = sum over i and n of dy_i[m, n] * (table[code_i(n, k)] * absmax_i(block of (n, k))) in float32, for what tensor cores
// do not take: float32 gradients, and every type before sm_80.
//
// A block makes a tile of 64 rows by 64 columns of dx (fp32_tile.cuh). Weights are decoded once per tile, to float32, as
// halfbyte_dequantize_4bit does; the rest is the error of a float32 sum in runs of 32.
// Bytes per weight and 64 rows of dx, block size 64: 0.5 packed + 0.0625 statistics. It is bound by arithmetic.
#include "core/formats.h"
#include "cuda/device/fp32_tile.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/matmul_transposed.h"

namespace halfbyte::cuda {
namespace {

struct Shared {
    Fp32Tile tile;
    float table[16];
};

// Blocks: the tiles of M within those of K, and the splits of the rows of W.
template <class T>
__global__ void __launch_bounds__(kFp32Threads)
    matmul_4bit_transposed_tile_kernel(const __grid_constant__ Transposed4BitBatch batch, int64_t tiles_m) {
    Shared& shared = shared_memory<Shared>();
    const int64_t K = batch.weights.K, first_m = blockIdx.x % tiles_m * kFp32Tile, first_k = blockIdx.x / tiles_m * kFp32Tile;
    Fp32Sums sums = {};
    for (int i = 0; i < batch.weights.count; ++i) {
        const Weight4Bit& weight = batch.weights.at[i];
        const Gradient gradient = batch.gradients[i];
        const int64_t begin = blockIdx.y * batch.depth, depth = min(weight.N - begin, batch.depth);
        __syncthreads();
        load_table(shared.table, batch.weights, weight);
        __syncthreads();
        const auto dy = [&](int row, int64_t n) {
            const int64_t m = first_m + row;
            return m < batch.M && n < depth ? to_float(static_cast<const T*>(gradient.dy)[m * gradient.ld + begin + n]) : 0.0f;
        };
        const auto value = [&](int column, int64_t n) {
            const int64_t k = first_k + column, element = (begin + n) * K + k;
            return k < K && n < depth ? shared.table[code_of(weight, element)] * absmax_of_element(weight, element) : 0.0f;
        };
        add_fp32_tile<false>(shared.tile, sums, depth, dy, value);
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
cudaError_t run(const Transposed4BitBatch& batch, cudaStream_t stream) {
    const int64_t tiles_m = ceil_div(batch.M, kFp32Tile), tiles_k = ceil_div(batch.weights.K, kFp32Tile);
    const Launch at{.grid = dim3(static_cast<unsigned>(tiles_m * tiles_k), static_cast<unsigned>(batch.splits)),
                    .block = kFp32Threads,
                    .shared_bytes = sizeof(Shared),
                    .stream = stream};
    return launch(at, matmul_4bit_transposed_tile_kernel<T>, batch, tiles_m);
}

}  // namespace

cudaError_t matmul_4bit_transposed_tile(const Transposed4BitBatch& batch, cudaStream_t stream) {
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
