// The end of every product: add the bias in float32, round once, store.
#pragma once

#include <cstdint>

#include "activations.h"

namespace halfbyte::cpu {

// Element i of an array of `dtype` = value, rounded to nearest even.
inline void store_float(DType dtype, void* data, int64_t i, float value) {
    if (dtype == DType::kFloat32) static_cast<float*>(data)[i] = value;
    else if (dtype == DType::kFloat16) static_cast<uint16_t*>(data)[i] = float_to_float16(value);
    else static_cast<uint16_t*>(data)[i] = float_to_bfloat16(value);
}

// Part of a row of y and what is added to it: `y` and `bias` point at the part's first element; bias may be null.
struct OutputRow {
    void* y;
    DType dtype;
    const void* bias;
    DType bias_dtype;
};

// Columns `first` and on of row m of one product's output.
inline OutputRow output_row(const halfbyte_output& output, DType dtype, int64_t m, int64_t first) {
    const DType bias_dtype = output.bias == nullptr ? DType::kFloat32 : static_cast<DType>(output.bias_dtype);
    const void* bias = output.bias == nullptr ? nullptr : element_at(bias_dtype, output.bias, first);
    return {element_at(dtype, output.y, m * output.ldy + first), dtype, bias, bias_dtype};
}

// y[i] = round(sums[i] + bias[i]) for `count` elements. The same bits on every path.
void store_row(Path path, const OutputRow& row, const float* sums, int64_t count);

// The paths behind it.
void store_row_scalar(const OutputRow& row, const float* sums, int64_t count);
void store_row_avx2(const OutputRow& row, const float* sums, int64_t count);
void store_row_avx512(const OutputRow& row, const float* sums, int64_t count);

}  // namespace halfbyte::cpu
