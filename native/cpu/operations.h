// The CPU backend's operations, one file each beside this one. Each picks the kernel of the stream's path and cuts the work.
#pragma once

#include "cpu_stream.h"

namespace halfbyte::cpu {

void quantize_4bit(Stream& stream, const Quantize4Bit& op);
void dequantize_4bit(Stream& stream, const Dequantize4Bit& op);
void lookup_4bit(Stream& stream, const Lookup4Bit& op);
void quantize_blockwise(Stream& stream, const QuantizeBlockwise& op);
void dequantize_blockwise(Stream& stream, const DequantizeBlockwise& op);
void double_quantize(Stream& stream, const DoubleQuantize& op);
void double_dequantize(Stream& stream, const DoubleDequantize& op);
void quantize_int8_rows(Stream& stream, const QuantizeInt8Rows& op);
int64_t quantize_int8_rows_workspace(Stream& stream, int64_t rows, int64_t cols, float threshold);
void dequantize_int8(Stream& stream, const DequantizeInt8& op);
void matmul_4bit(Stream& stream, const MatMul4Bit& op);
int64_t matmul_4bit_workspace(Stream& stream, const MatMul4Bit& op);
void matmul_4bit_transposed(Stream& stream, const MatMul4BitTransposed& op);
int64_t matmul_4bit_transposed_workspace(Stream& stream, const MatMul4BitTransposed& op);
void matmul_int8(Stream& stream, const MatMulInt8& op);
int64_t matmul_int8_workspace(Stream& stream, const MatMulInt8& op);
void matmul_int8_transposed(Stream& stream, const MatMulInt8Transposed& op);
int64_t matmul_int8_transposed_workspace(Stream& stream, const MatMulInt8Transposed& op);

}  // namespace halfbyte::cpu
