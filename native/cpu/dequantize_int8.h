// Row-wise int8 to floating point: the kernels, one per path.
#pragma once

#include "core/operations.h"

namespace halfbyte::cpu {

// Some rows of a weight and where they go, both dense.
//   output[n, k] = codes[n, k] * absmax[n] * (1.0f / 127.0f), two float32 products in this order, rounded to `dtype`
struct Int8Rows {
    const int8_t* codes;  // [N, K]
    const float* absmax;  // [N]
    int64_t N, K;
    void* output;  // [N, K]
    DType dtype;
    bool streaming;  // the whole output is larger than the caches: store around them where the path can
};

void dequantize_int8_scalar(const Int8Rows& rows);
void dequantize_int8_avx2(const Int8Rows& rows);
void dequantize_int8_avx512(const Int8Rows& rows);

}  // namespace halfbyte::cpu
