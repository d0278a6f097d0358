// Activations as float32, whatever their type: one by one, or eight at a time.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/operations.h"
#include "cuda/device/element.cuh"

namespace halfbyte::cuda {

// Element i of an array whose type is known at run time only: a bias.
__device__ __forceinline__ float load_as_float(const void* data, DType dtype, int64_t i) {
    if (dtype == DType::kFloat32) return static_cast<const float*>(data)[i];
    if (dtype == DType::kFloat16) return to_float(static_cast<const __half*>(data)[i]);
    return to_float(static_cast<const __nv_bfloat16*>(data)[i]);
}

// Eight consecutive elements at an address aligned to 16 bytes.
__device__ __forceinline__ void load_eight(float (&to)[8], const float* from) {
    const float4 a = *reinterpret_cast<const float4*>(from), b = *reinterpret_cast<const float4*>(from + 4);
    to[0] = a.x, to[1] = a.y, to[2] = a.z, to[3] = a.w, to[4] = b.x, to[5] = b.y, to[6] = b.z, to[7] = b.w;
}
template <class T>
__device__ __forceinline__ void load_eight(float (&to)[8], const T* from) {
    unpack(*reinterpret_cast<const uint4*>(from), to, T{});
}

// The same at any address; those from `count` on are zero and not read.
template <class T>
__device__ __forceinline__ void load_eight(float (&to)[8], const T* from, int64_t count) {
#pragma unroll
    for (int i = 0; i < 8; ++i) to[i] = i < count ? to_float(from[i]) : 0.0f;
}

}  // namespace halfbyte::cuda
