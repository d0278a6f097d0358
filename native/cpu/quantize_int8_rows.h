// Row-wise int8 quantization: the kernels, one per path, and the step that quantize_int8_rows and matmul_int8 share.
#pragma once

#include "core/operations.h"

namespace halfbyte::cpu {

struct CpuStream;

// Quantizes one row of `cols` elements and returns its absmax.
//   outlier(c) = threshold > 0 and |x[c]| >= threshold; sets bit c of `outliers` (64 columns a word; null if threshold is 0)
//   absmax = max |x[c]| over the others, NaN ignored;  scale = 127.0f / absmax
//   codes[c] = round_half_even(x[c] * scale), 0 for NaN, clamped to -127..127; of an outlier, anything: its column is zeroed later
// The clamp matters where 127 / absmax exceeds float32 (absmax below 3.7e-37) and x * scale is infinite. A row of zeros has an
// infinite scale too, an infinite x a scale of 0: both products are NaN, code 0.
using QuantizeInt8Row = float (*)(const void* x, DType dtype, int64_t cols, float threshold, uint64_t* outliers, int8_t* codes);

float quantize_int8_row_scalar(const void* x, DType dtype, int64_t cols, float threshold, uint64_t* outliers, int8_t* codes);
float quantize_int8_row_avx2(const void* x, DType dtype, int64_t cols, float threshold, uint64_t* outliers, int8_t* codes);
float quantize_int8_row_avx512(const void* x, DType dtype, int64_t cols, float threshold, uint64_t* outliers, int8_t* codes);

// What quantize_int8_rows does, into rows of codes that may be longer than the input's.
struct RowsToInt8 {
    const void* input;  // [rows, cols]
    DType dtype;
    int64_t rows;
    int64_t cols;
    int64_t ldinput;
    float threshold;           // 0: no outliers
    int8_t* codes;             // [rows, cols]; the elements from cols to ldcodes are set to 0
    int64_t ldcodes;           // >= cols
    float* absmax;             // [rows]
    int64_t* outlier_columns;  // [cols], ascending; unused if threshold is 0
    uint64_t* outlier_masks;   // scratch, outlier_mask_bytes(); unused if threshold is 0
};

// Returns the number of outlier columns.
int64_t rows_to_int8(const CpuStream& stream, const RowsToInt8& work);

int64_t outlier_mask_bytes(const CpuStream& stream, int64_t rows, int64_t cols, float threshold);

}  // namespace halfbyte::cpu
