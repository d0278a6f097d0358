// Activations of any type as float32: exact, so every product computes in float32 from here on.
#pragma once

#include <cstdint>

#include "core/float16.h"
#include "core/operations.h"
#include "features.h"

namespace halfbyte::cpu {

// Element i of an array of `dtype`.
inline float load_float(DType dtype, const void* data, int64_t i) {
    if (dtype == DType::kFloat32) return static_cast<const float*>(data)[i];
    const uint16_t bits = static_cast<const uint16_t*>(data)[i];
    return dtype == DType::kFloat16 ? float16_to_float(bits) : bfloat16_to_float(bits);
}

// The address of element i of an array of `dtype`.
inline const void* element_at(DType dtype, const void* data, int64_t i) {
    return static_cast<const char*>(data) + i * size_of(dtype);
}
inline void* element_at(DType dtype, void* data, int64_t i) { return static_cast<char*>(data) + i * size_of(dtype); }

// destination[i] = float(source[i]) for `count` elements. The same bits on every path.
void to_float32(Path path, DType dtype, const void* source, int64_t count, float* destination);

// The paths behind it.
void to_float32_scalar(DType dtype, const void* source, int64_t count, float* destination);
void to_float32_avx2(DType dtype, const void* source, int64_t count, float* destination);
void to_float32_avx512(DType dtype, const void* source, int64_t count, float* destination);

}  // namespace halfbyte::cpu
