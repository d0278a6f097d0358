// Float32 values as sums of 16-bit planes, so that tensor cores multiply by them without rounding them first.
//
//   bfloat16, three planes: the leading 8 bits of the significand, the next 8, the last 8. Their sum is the value, exactly;
//   what of a value lies below 2^-133 is lost.
//   float16, two planes: the value times 1024 rounded, and what that left, rounded; together within 2^-23 of the value, for tables
//   whose values lie between 2^-10 and 1. The factor keeps the second plane out of float16's subnormal numbers.
//
// Only planes of finite values are finite: an infinity has all of itself in the first plane and zero in the others.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx.cuh"

namespace halfbyte::cuda {

__device__ __forceinline__ uint32_t leading_bits(float value) { return __float_as_uint(value) & 0xffff0000u; }

// What is left of a value after its leading bits. Exact.
__device__ __forceinline__ float rest_of(float value) {
    const float rest = value - __uint_as_float(leading_bits(value));
    return rest == rest ? rest : 0.0f;
}

// The high halves of two words, the first in the lower half.
__device__ __forceinline__ uint32_t high_halves(uint32_t low, uint32_t high) { return ptx::prmt(low, high, 0x7632); }
__device__ __forceinline__ uint32_t low_halves(uint32_t low, uint32_t high) { return ptx::prmt(low, high, 0x5410); }

// Plane after plane of two values, as pairs of bfloat16.
template <int Planes>
__device__ __forceinline__ void split_two(uint32_t (&planes)[Planes], float low, float high) {
#pragma unroll
    for (int p = 0; p < Planes; ++p) {
        planes[p] = high_halves(__float_as_uint(low), __float_as_uint(high));
        low = rest_of(low);
        high = rest_of(high);
    }
}

// ---- a table of 16 values as planes, and its lookup ----------------------------------------------------------------------------

template <class T>
struct PlaneTable;

template <>
struct PlaneTable<__nv_bfloat16> {
    static constexpr int kPlanes = 3;
    static constexpr float kScale = 1.0f;
    alignas(8) uint2 entries[16];  // planes 0 and 1 in x, 2 in y. 32 words: lookups never conflict

    __device__ __forceinline__ void set(int code, float value) {
        const float rest = rest_of(value);
        entries[code] = make_uint2(leading_bits(value) >> 16 | leading_bits(rest), leading_bits(rest_of(rest)) >> 16);
    }
    __device__ __forceinline__ void get(uint32_t (&planes)[kPlanes], unsigned low, unsigned high) const {
        const uint2 a = entries[low], b = entries[high];
        planes[0] = low_halves(a.x, b.x);
        planes[1] = high_halves(a.x, b.x);
        planes[2] = low_halves(a.y, b.y);
    }
};

template <>
struct PlaneTable<__half> {
    static constexpr int kPlanes = 2;
    static constexpr float kScale = 1024.0f;
    uint32_t entries[16];

    __device__ __forceinline__ void set(int code, float value) {
        const __half first = __float2half_rn(value * kScale);
        const __half second = __float2half_rn(value * kScale - __half2float(first));
        entries[code] = __half_as_ushort(first) | static_cast<uint32_t>(__half_as_ushort(second)) << 16;
    }
    __device__ __forceinline__ void get(uint32_t (&planes)[kPlanes], unsigned low, unsigned high) const {
        const uint32_t a = entries[low], b = entries[high];
        planes[0] = low_halves(a, b);
        planes[1] = high_halves(a, b);
    }
};

// ---- infinities and NaN among activations --------------------------------------------------------------------------------------
// Infinity times the zero of a lower plane would be NaN where infinity times the value is infinite. Such activations are met by the
// first plane alone.

template <class T>
inline constexpr uint32_t kExponent = 0;
template <>
inline constexpr uint32_t kExponent<__half> = 0x7c00u;
template <>
inline constexpr uint32_t kExponent<__nv_bfloat16> = 0x7f80u;

// Whether either of two elements is infinite or NaN.
template <class T>
__device__ __forceinline__ bool has_special(uint32_t pair) {
    constexpr uint32_t kLow = kExponent<T>, kHigh = kLow << 16;
    return (pair & kLow) == kLow || (pair & kHigh) == kHigh;
}
template <class T>
__device__ __forceinline__ bool has_special(uint4 v) {
    return has_special<T>(v.x) || has_special<T>(v.y) || has_special<T>(v.z) || has_special<T>(v.w);
}

// The pair, with zero in place of what is infinite or NaN.
template <class T>
__device__ __forceinline__ uint32_t without_special(uint32_t pair) {
    constexpr uint32_t kLow = kExponent<T>, kHigh = kLow << 16;
    return ((pair & kLow) == kLow ? 0 : pair & 0xffffu) | ((pair & kHigh) == kHigh ? 0 : pair & 0xffff0000u);
}

// ---- d += a * b, 16 x 8 x 16 ---------------------------------------------------------------------------------------------------

__device__ __forceinline__ void multiply_add(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], __nv_bfloat16) {
    ptx::mma_m16n8k16_bf16(d, a, b);
}
__device__ __forceinline__ void multiply_add(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], __half) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    const uint32_t a0[2] = {a[0], a[1]}, a1[2] = {a[2], a[3]}, b0[1] = {b[0]}, b1[1] = {b[1]};
    ptx::mma_m16n8k8_f16(d, a0, b0);
    ptx::mma_m16n8k8_f16(d, a1, b1);
#else
    ptx::mma_m16n8k16_f16(d, a, b);
#endif
}

}  // namespace halfbyte::cuda
