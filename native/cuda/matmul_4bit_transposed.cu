// dx = sum over i of dy_i * W_i with 4-bit weights: which kernel multiplies what (matmul_transposed.h).
#include "cuda/kernels.h"
#include "cuda/matmul_device.h"
#include "cuda/matmul_transposed.h"
#include "cuda/matmul_transposed_parts.h"

namespace halfbyte::cuda {

int64_t matmul_4bit_transposed_workspace(const MatMul4BitTransposed& op) { return transposed_workspace(op); }

cudaError_t matmul_4bit_transposed(const MatMul4BitTransposed& op, cudaStream_t stream) {
    if (op.M == 0 || op.K == 0) return cudaSuccess;
    int architecture = 0;
    const cudaError_t status = architecture_of_device(&architecture);
    if (status != cudaSuccess) return status;
    const bool is_for_mma = op.dtype != DType::kFloat32 && architecture >= 80;
    return run_transposed(op, is_for_mma ? matmul_4bit_transposed_mma : matmul_4bit_transposed_tile, stream);
}

}  // namespace halfbyte::cuda
