// Activations as float32, whatever their type: one by one, or eight at a time.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "core/operations.h"

namespace halfbyte::cuda {

__device__ __forceinline__ float widen(float value) { return value; }
__device__ __forceinline__ float widen(__half value) { return __half2float(value); }
__device__ __forceinline__ float widen(__nv_bfloat16 value) { return __bfloat162float(value); }

// Element i of an array whose type is known at run time only: a bias.
__device__ __forceinline__ float load_as_float(const void* data, DType dtype, int64_t i) {
    if (dtype == DType::kFloat32) return static_cast<const float*>(data)[i];
    if (dtype == DType::kFloat16) return widen(static_cast<const __half*>(data)[i]);
    return widen(static_cast<const __nv_bfloat16*>(data)[i]);
}

__device__ __forceinline__ float2 widen_two(uint32_t pair, __half) {
    return make_float2(widen(__ushort_as_half(static_cast<uint16_t>(pair))),
                       widen(__ushort_as_half(static_cast<uint16_t>(pair >> 16))));
}
__device__ __forceinline__ float2 widen_two(uint32_t pair, __nv_bfloat16) {
    return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u));
}

// Eight consecutive elements at an address aligned to 16 bytes.
__device__ __forceinline__ void load_eight(float (&to)[8], const float* from) {
    const float4 a = *reinterpret_cast<const float4*>(from), b = *reinterpret_cast<const float4*>(from + 4);
    to[0] = a.x, to[1] = a.y, to[2] = a.z, to[3] = a.w, to[4] = b.x, to[5] = b.y, to[6] = b.z, to[7] = b.w;
}
template <class T>
__device__ __forceinline__ void load_eight(float (&to)[8], const T* from) {
    const uint4 words = *reinterpret_cast<const uint4*>(from);
    const float2 a = widen_two(words.x, T{}), b = widen_two(words.y, T{}), c = widen_two(words.z, T{}), d = widen_two(words.w, T{});
    to[0] = a.x, to[1] = a.y, to[2] = b.x, to[3] = b.y, to[4] = c.x, to[5] = c.y, to[6] = d.x, to[7] = d.y;
}

// The same at any address; those from `count` on are zero and not read.
template <class T>
__device__ __forceinline__ void load_eight(float (&to)[8], const T* from, int64_t count) {
#pragma unroll
    for (int i = 0; i < 8; ++i) to[i] = i < count ? widen(from[i]) : 0.0f;
}

}  // namespace halfbyte::cuda
