// The parts of y_i = x * W_i^T + bias_i with int8 weights: matmul_int8.cu quantizes x and cuts the work, matmul_int8_mma.cu
// multiplies.
#pragma once

#include <cuda_runtime.h>

#include "core/operations.h"
#include "cuda/device/product_output.cuh"
#include "cuda/device/row_stage.cuh"

namespace halfbyte::cuda {

struct WeightInt8 {
    const int8_t* codes;
    const float* absmax;
    int64_t N;
    int64_t first;   // where this weight begins among the tiles of the launch
    int64_t column;  // where its product begins among the partial sums
    ProductOutput output;
    bool is_aligned;  // every row, to 16 bytes
};

inline constexpr int kInt8WeightsPerLaunch = 8;

// One launch.
struct MatMulInt8Batch {
    int32_t count = 0;
    DType dtype{};
    WeightInt8 at[kInt8WeightsPerLaunch]{};
    int64_t M = 0, K = 0;

    // x as quantize_int8_rows left it, all on the device. The codes are dense.
    const int8_t* codes = nullptr;
    const float* absmax = nullptr;
    const int64_t* outlier_columns = nullptr;
    const int64_t* outlier_count = nullptr;  // or null: none
    const void* x = nullptr;                 // where the outliers are
    int64_t ldx = 0;

    int64_t tiles = 0;    // of all weights
    int64_t columns = 0;  // of all products
    int64_t depth = 0;    // of K, of each split
    int64_t splits = 1;
    int32_t* partials = nullptr;  // [splits, M, columns], if there is more than one split
};

inline constexpr int64_t kInt8Tile = 128;            // rows of a weight
inline constexpr int64_t kInt8ExactDepth = 1 << 17;  // 127 * 128 * this is within int32

cudaError_t matmul_int8_mma(const MatMulInt8Batch& batch, cudaStream_t stream);

}  // namespace halfbyte::cuda
