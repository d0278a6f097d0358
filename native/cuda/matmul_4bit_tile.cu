// y[m, n] = sum over k of x[m, k] * (table[code(n, k)] * absmax(block of (n, k))) + bias[n], for whatever the other kernels do not
// take: float32 activations, K of any kind, the caller's own tables.
//
// A block makes a tile of 64 rows of x by 64 rows of W (fp32_tile.cuh). Weights are decoded once per tile, to float32: table
// values and statistics are exact, their product is rounded as halfbyte_dequantize_4bit rounds it, and the rest is the error of a
// float32 sum in runs of 32.
//
// Bytes per weight and 64 rows of x: 0.5 packed + 0.0625 statistics. It is bound by arithmetic: 64 fused multiply-adds per weight.
#include "core/formats.h"
#include "cuda/device/fp32_tile.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/matmul_4bit.h"

namespace halfbyte::cuda {
namespace {

struct Shared {
    Fp32Tile tile;
    float table[16];
};

// Blocks: the tiles of M within those of N, so that blocks that run at the same time share the weight.
template <class T>
__global__ void __launch_bounds__(kFp32Threads)
    matmul_4bit_tile_kernel(const __grid_constant__ MatMul4BitBatch batch, int64_t tiles_m) {
    Shared& shared = shared_memory<Shared>();
    const int64_t tile = blockIdx.x / tiles_m, K = batch.weights.K;
    const int i = weight_of_tile(batch.weights, tile);
    const Weight4Bit& weight = batch.weights.at[i];
    const int64_t first_m = blockIdx.x % tiles_m * kFp32Tile, first_n = (tile - weight.first) * kFp32Tile;
    load_table(shared.table, batch.weights, weight);
    __syncthreads();

    const auto* x = static_cast<const T*>(batch.x);
    const auto activation = [&](int row, int64_t k) {
        const int64_t m = first_m + row;
        return m < batch.M && k < K ? to_float(x[m * batch.ldx + k]) : 0.0f;
    };
    const auto value = [&](int column, int64_t k) {
        const int64_t n = first_n + column, element = n * K + k;
        return n < weight.N && k < K ? shared.table[code_of(weight, element)] * absmax_of_element(weight, element) : 0.0f;
    };
    Fp32Sums sums = {};
    add_fp32_tile<true>(shared.tile, sums, K, activation, value);
#pragma unroll
    for (int a = 0; a < 4; ++a)
#pragma unroll
        for (int b = 0; b < 4; ++b) {
            const int64_t m = first_m + fp32_tile_row() + a, n = first_n + fp32_tile_column() + b;
            if (m < batch.M && n < weight.N) store<T>(batch.outputs[i], m, n, sums[a][b]);
        }
}

template <class T>
cudaError_t run(const MatMul4BitBatch& batch, cudaStream_t stream) {
    const int64_t tiles_m = ceil_div(batch.M, kFp32Tile);
    const Launch at{.grid = static_cast<unsigned>(batch.tiles * tiles_m),
                    .block = kFp32Threads,
                    .shared_bytes = sizeof(Shared),
                    .stream = stream};
    return launch(at, matmul_4bit_tile_kernel<T>, batch, tiles_m);
}

}  // namespace

cudaError_t matmul_4bit_tile(const MatMul4BitBatch& batch, cudaStream_t stream) {
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
