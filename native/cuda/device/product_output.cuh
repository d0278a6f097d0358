// Where a product goes: y[m, n] = value + bias[n], rounded once.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/operations.h"
#include "cuda/device/activation.cuh"
#include "cuda/device/element.cuh"

namespace halfbyte::cuda {

struct ProductOutput {
    void* y;
    int64_t ldy;
    const void* bias;  // or null
    DType bias_dtype;
};

inline ProductOutput product_output(const halfbyte_output& output) {
    return {output.y, output.ldy, output.bias, static_cast<DType>(output.bias_dtype)};
}

template <class T>
__device__ __forceinline__ void store(const ProductOutput& output, int64_t m, int64_t n, float value) {
    if (output.bias != nullptr) value += load_as_float(output.bias, output.bias_dtype, n);
    static_cast<T*>(output.y)[m * output.ldy + n] = from_float<T>(value);
}

}  // namespace halfbyte::cuda
