// bitsandbytes' CUDA library, by its C functions (MIT licence, github.com/bitsandbytes-foundation/bitsandbytes,
// csrc/pythonInterface.cpp and csrc/gemm_4bit.cu of 0.50). What its Python package does around them is not measured.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>
#include <string>

namespace halfbyte::benchmark {

// Null where the library lacks the function. bf16 and half are uint16_t here; quant_type 2 is NF4.
struct Bitsandbytes {
    using Dequantize = void (*)(float* code, uint8_t* codes, float* absmax, void* output, int blocksize, int n, cudaStream_t);
    using Quantize = void (*)(float* code, void* input, float* absmax, uint8_t* codes, int blocksize, int n);  // default stream
    using Gemm4Bit = void (*)(const void* x, const uint8_t* packed, const float* absmax, const uint8_t* absmax_8bit,
                              const float* absmax_code, const float* absmax_offset, void* y, const void* bias, int M, int N, int K,
                              int blocksize, int quant_type, cudaStream_t);
    using QuantizeRows = void (*)(void* x, int8_t* codes, float* absmax, float threshold, int rows, int columns, cudaStream_t);
    // sums[rows, outputs] = x[rows, inputs] * w[outputs, inputs]^T. Not the usual order of m, n, k: rows are in the middle.
    using GemmInt8 = int (*)(void* context, int inputs, int rows, int outputs, const int8_t* w, const int8_t* x, void* sums,
                             float* scale, int ldw, int ldx, int ldsums, cudaStream_t);
    using DequantizeProduct = void (*)(int* sums, float* rows, float* columns, void* y, void* bias, int M, int N, cudaStream_t);

    Dequantize dequantize_nf4 = nullptr;      // to bfloat16
    Dequantize dequantize_float32 = nullptr;  // 8-bit blocks
    Quantize quantize_nf4 = nullptr;          // from bfloat16
    Quantize quantize_float32 = nullptr;      // 8-bit blocks
    Gemm4Bit gemm_4bit = nullptr;             // bfloat16
    QuantizeRows quantize_rows = nullptr;     // from float16
    GemmInt8 gemm_int8 = nullptr;
    DequantizeProduct dequantize_product = nullptr;  // to float16
    void* context = nullptr;                         // of gemm_int8
};

// `path` empty: none was asked for. Null, and why, if it cannot be opened.
std::unique_ptr<Bitsandbytes> open_bitsandbytes(const std::string& path, std::string* reason);

// Whether bitsandbytes 0.50 multiplies by an NF4 weight with its fused kernel on a GPU of compute capability 9.0; otherwise it
// dequantizes the weight and calls cuBLAS. K is a multiple of the block.
bool bitsandbytes_is_fused(int64_t M, int64_t N, int64_t K, int multiprocessors);

}  // namespace halfbyte::benchmark
