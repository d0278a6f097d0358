// The kernels of dx = sum over i of dy_i * W_i, for 4-bit and int8 weights alike, and what they are given.
// matmul_transposed_parts.h cuts the work; which kernel takes what:
//
//   wgmma  4-bit weights: 16-bit dy, Hopper                      tensor cores                 matmul_4bit_transposed_wgmma.cu
//   mma    4-bit weights: 16-bit dy, before sm_80 float16 only
//          int8 weights: everything, sm_80 and later             tensor cores                 matmul_*_transposed_mma.cu
//   tile   everything                                            64 x 64 tiles in float32     matmul_*_transposed_tile.cu
#pragma once

#include <cuda_runtime.h>

#include "core/operations.h"
#include "cuda/device/product_output.cuh"
#include "cuda/device/weights_4bit.cuh"

namespace halfbyte::cuda {

// dy of one weight: [M, N].
struct Gradient {
    const void* dy;
    int64_t ld;
};

struct WeightInt8Rows {
    const int8_t* codes;
    const float* absmax;
    int64_t N;
    bool is_aligned;  // every eight codes from the start of a row on, to 8 bytes
};

// The int8 weights of one launch; what Weights4Bit is for 4-bit ones.
struct WeightsInt8 {
    int32_t count = 0;
    int64_t K = 0;
    WeightInt8Rows at[kWeightsPerLaunch]{};

    explicit WeightsInt8(int64_t k) : K(k) {}

    void add(const halfbyte_weight_int8& weight, int64_t) {
        const auto* codes = static_cast<const int8_t*>(weight.codes);
        at[count++] = {codes, static_cast<const float*>(weight.absmax), weight.N,
                       K % 8 == 0 && reinterpret_cast<uintptr_t>(codes) % 8 == 0};
    }
};

// How a kernel tiles dx, and in what steps it goes through the rows of the weights: what the cut into parts depends on.
struct TransposedTiling {
    int64_t rows = 64, columns = 128, step = 32;
    int64_t blocks_per_multiprocessor = 2;
};

// One launch: the sum over up to kWeightsPerLaunch weights, or a part of it.
template <class Weights>
struct TransposedBatch {
    Weights weights;
    Gradient gradients[kWeightsPerLaunch]{};
    DType dtype{};
    int64_t M = 0;
    ProductOutput dx{};  // where the sum goes, if there is one part only

    // The rows of each weight are split over blocks; split s sums rows [s * depth, (s + 1) * depth) of every weight, and writes
    // float [M, K] to part first_part + s.
    int64_t splits = 1, depth = 0;
    int64_t first_part = 0;
    float* partials = nullptr;  // null: dx is written

    explicit TransposedBatch(int64_t K) : weights(K) {}
};
using Transposed4BitBatch = TransposedBatch<Weights4Bit>;
using TransposedInt8Batch = TransposedBatch<WeightsInt8>;

cudaError_t matmul_4bit_transposed_tile(const Transposed4BitBatch& batch, cudaStream_t stream);
cudaError_t matmul_4bit_transposed_mma(const Transposed4BitBatch& batch, cudaStream_t stream);
int64_t matmul_4bit_transposed_mma_rows(int64_t M);
cudaError_t matmul_4bit_transposed_wgmma(const Transposed4BitBatch& batch, cudaStream_t stream);
TransposedTiling matmul_4bit_transposed_wgmma_tiling(int64_t M);
cudaError_t matmul_int8_transposed_tile(const TransposedInt8Batch& batch, cudaStream_t stream);
cudaError_t matmul_int8_transposed_mma(const TransposedInt8Batch& batch, cudaStream_t stream);

// Stores an element of a launch's sum where the batch says.
template <class T, class Weights>
__device__ __forceinline__ void store_sum(const TransposedBatch<Weights>& batch, int64_t split, int64_t m, int64_t k, float sum) {
    if (batch.partials == nullptr) store<T>(batch.dx, m, k, sum);
    else batch.partials[((batch.first_part + split) * batch.M + m) * batch.weights.K + k] = sum;
}

}  // namespace halfbyte::cuda
