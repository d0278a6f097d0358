// Row-wise int8 to floating point: the kernels, one per path.
#pragma once

#include "cpu_stream.h"

namespace halfbyte::cpu {

// output[k] = codes[k] * absmax * (1.0f / 127.0f), two float32 products in this order, rounded to `dtype`.
// `streaming`: the output is larger than the caches; store around them where the path can.
using DequantizeInt8Row = void (*)(const int8_t* codes, float absmax, int64_t K, bool streaming, void* output, DType dtype);

void dequantize_int8_row_scalar(const int8_t* codes, float absmax, int64_t K, bool streaming, void* output, DType dtype);

}  // namespace halfbyte::cpu
