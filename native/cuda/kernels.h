// The launchers of the CUDA backend, one per operation, in files of the operation's name. Each enqueues on `stream` and returns
// the status of the launch; none allocates or waits. `..._workspace` returns bytes and depends on shapes and on the device that is
// current.
#pragma once

#include <cuda_runtime_api.h>

#include "core/operations.h"

namespace halfbyte::cuda {

cudaError_t quantize_4bit(const Quantize4Bit& op, cudaStream_t stream);
cudaError_t dequantize_4bit(const Dequantize4Bit& op, cudaStream_t stream);
// Elements `first` (even) to first + n - 1 of the weight, to output[0] and on.
cudaError_t dequantize_4bit_part(const Dequantize4Bit& op, int64_t first, int64_t n, cudaStream_t stream);
cudaError_t lookup_4bit(const Lookup4Bit& op, cudaStream_t stream);
cudaError_t quantize_blockwise(const QuantizeBlockwise& op, cudaStream_t stream);
cudaError_t dequantize_blockwise(const DequantizeBlockwise& op, cudaStream_t stream);
cudaError_t double_quantize(const DoubleQuantize& op, cudaStream_t stream);
cudaError_t double_dequantize(const DoubleDequantize& op, cudaStream_t stream);
cudaError_t quantize_int8_rows(const QuantizeInt8Rows& op, cudaStream_t stream);
int64_t quantize_int8_rows_workspace(int64_t rows, int64_t cols, float threshold);
cudaError_t dequantize_int8(const DequantizeInt8& op, cudaStream_t stream);
cudaError_t matmul_4bit(const MatMul4Bit& op, cudaStream_t stream);
int64_t matmul_4bit_workspace(const MatMul4Bit& op);
cudaError_t matmul_4bit_transposed(const MatMul4BitTransposed& op, cudaStream_t stream);
int64_t matmul_4bit_transposed_workspace(const MatMul4BitTransposed& op);
cudaError_t matmul_int8(const MatMulInt8& op, cudaStream_t stream);
int64_t matmul_int8_workspace(const MatMulInt8& op);
cudaError_t matmul_int8_transposed(const MatMulInt8Transposed& op, cudaStream_t stream);
int64_t matmul_int8_transposed_workspace(const MatMulInt8Transposed& op);

}  // namespace halfbyte::cuda
