// Float32 values as sums of three planes of bfloat16, so that tensor cores multiply by them without rounding them first: the
// leading 8 bits of the significand, the next 8, the last 8. Their sum is the value, exactly; what of a value lies below 2^-133 is
// lost.
//
// Only planes of finite values are finite: an infinity has all of itself in the first plane and zero in the others.
#pragma once

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

}  // namespace halfbyte::cuda
