// dx = sum over i of dy_i * W_i with int8 weights: which kernel multiplies what (matmul_transposed.h).
#include "cuda/kernels.h"
#include "cuda/matmul_device.h"
#include "cuda/matmul_transposed.h"
#include "cuda/matmul_transposed_parts.h"

namespace halfbyte::cuda {

int64_t matmul_int8_transposed_workspace(const MatMulInt8Transposed& op) { return transposed_workspace(op, {}); }

cudaError_t matmul_int8_transposed(const MatMulInt8Transposed& op, cudaStream_t stream) {
    if (op.M == 0 || op.K == 0) return cudaSuccess;
    int architecture = 0;
    const cudaError_t status = architecture_of_device(&architecture);
    if (status != cudaSuccess) return status;
    return run_transposed(op, architecture >= 80 ? matmul_int8_transposed_mma : matmul_int8_transposed_tile, {}, stream);
}

}  // namespace halfbyte::cuda
