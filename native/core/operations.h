// The operations as plain structs: what the ABI has checked and what a backend may therefore rely on.
//
// Everything here has been validated: pointers are non-null where sizes are not zero, aligned and disjoint; sizes are non-negative
// and their byte counts fit int64; formats are known. A backend adds only what its device alone can know.
#pragma once

#include <cstdint>

#include "halfbyte.h"

namespace halfbyte {

enum class DType : int32_t {
    kFloat32 = HALFBYTE_DTYPE_FLOAT32,
    kFloat16 = HALFBYTE_DTYPE_FLOAT16,
    kBFloat16 = HALFBYTE_DTYPE_BFLOAT16,
};

constexpr int64_t size_of(DType dtype) { return dtype == DType::kFloat32 ? 4 : 2; }

enum class IndexType : int32_t {
    kInt32 = HALFBYTE_INDEX_TYPE_INT32,
    kInt64 = HALFBYTE_INDEX_TYPE_INT64,
};

constexpr int64_t size_of(IndexType type) { return type == IndexType::kInt32 ? 4 : 8; }

enum class QuantType : int32_t {
    kFp4 = HALFBYTE_QUANT_TYPE_FP4,
    kNf4 = HALFBYTE_QUANT_TYPE_NF4,
    kCustom = HALFBYTE_QUANT_TYPE_CUSTOM,
};

// A matrix of activations or gradients: row-major, rows `ld` elements apart.
struct Matrix {
    const void* data;
    int64_t ld;
};

struct Quantize4Bit {
    const void* input;  // [n]
    DType dtype;
    int64_t n;
    int64_t blocksize;
    QuantType quant_type;
    const float* codebook;  // host [16], ascending: the table of quant_type or the caller's own. Never null; unused for FP4
    uint8_t* packed;        // [(n+1)/2]
    float* absmax;          // [ceil(n/blocksize)]
};

struct Dequantize4Bit {
    halfbyte_weight_4bit weight;
    void* output;  // [N*K]
    DType dtype;
};

struct Lookup4Bit {
    halfbyte_weight_4bit weight;
    const void* indices;  // [M]; where the device is the CPU, all of them rows of the weight
    IndexType index_type;
    int64_t M;
    void* output;  // [M, K]
    DType dtype;
    int64_t ldoutput;
};

struct QuantizeBlockwise {
    const void* input;  // [n]
    DType dtype;
    int64_t n;
    int64_t blocksize;
    const float* codebook;  // [256] of the device, or null: the signed dynamic map
    uint8_t* codes;         // [n]
    float* absmax;          // [ceil(n/blocksize)]
};

struct DequantizeBlockwise {
    const uint8_t* codes;  // [n]
    const float* absmax;   // [ceil(n/blocksize)]
    int64_t n;
    int64_t blocksize;
    const float* codebook;  // [256] of the device, or null: the signed dynamic map
    void* output;           // [n]
    DType dtype;
};

struct DoubleQuantize {
    const float* absmax;  // [count]
    int64_t count;
    uint8_t* codes;        // [count]
    float* nested_absmax;  // [ceil(count/256)]
    float* offset;         // [1]
};

struct DoubleDequantize {
    const uint8_t* codes;        // [count]
    const float* nested_absmax;  // [ceil(count/256)]
    const float* offset;         // [1]
    const float* codebook;       // [256] of the device, or null: the signed dynamic map
    int64_t count;
    float* absmax;  // [count]
};

struct QuantizeInt8Rows {
    const void* input;  // [rows, cols]
    DType dtype;
    int64_t rows;
    int64_t cols;
    int64_t ldinput;
    float threshold;           // 0: no outliers
    int8_t* codes;             // [rows, cols], dense
    float* absmax;             // [rows]
    int64_t* outlier_columns;  // [cols], or null if threshold is 0
    int64_t* outlier_count;    // [1], or null if threshold is 0
    void* workspace;
};

struct DequantizeInt8 {
    halfbyte_weight_int8 weight;
    void* output;  // [N, K], dense
    DType dtype;
};

// y_i = x * W_i^T + bias_i for `count` weights with one K.
template <class Weight>
struct MatMul {
    int64_t count;
    const Weight* weights;  // host [count]
    const void* x;          // [M, K]
    DType dtype;
    int64_t M;
    int64_t K;
    int64_t ldx;
    float threshold;                 // int8 only
    const halfbyte_output* outputs;  // host [count]
    void* workspace;                 // at least what the backend's query returned
};
using MatMul4Bit = MatMul<halfbyte_weight_4bit>;
using MatMulInt8 = MatMul<halfbyte_weight_int8>;

// dx = sum over i of dy_i * W_i for `count` weights with one K.
template <class Weight>
struct MatMulTransposed {
    int64_t count;
    const Weight* weights;               // host [count]
    const halfbyte_gradient* gradients;  // host [count]
    DType dtype;
    int64_t M;
    int64_t K;
    void* dx;  // [M, K]
    int64_t lddx;
    void* workspace;
};
using MatMul4BitTransposed = MatMulTransposed<halfbyte_weight_4bit>;
using MatMulInt8Transposed = MatMulTransposed<halfbyte_weight_int8>;

}  // namespace halfbyte
