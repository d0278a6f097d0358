// A dense product of 16-bit matrices: what is left of a product when its weight has been dequantized.
#pragma once

#include <cuda_runtime.h>

#include "core/operations.h"
#include "cuda/device/product_output.cuh"

namespace halfbyte::cuda {

// y[M, N] = x[M, K] * w[N, K]^T + bias. K is a multiple of 16, w is dense, and TMA can read both (has_tensor_map).
struct MatMul16Bit {
    const void* x;
    const void* w;
    DType dtype;
    int64_t M, N, K, ldx;
    ProductOutput output;
};

cudaError_t matmul_16bit_wgmma(const MatMul16Bit& op, cudaStream_t stream);

inline constexpr int64_t kMatMul16BitRows = 256;  // of x in a tile

}  // namespace halfbyte::cuda
