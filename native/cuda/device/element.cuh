// The element types of activations and outputs: float32, and 16-bit types rounded to nearest even.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

namespace halfbyte::cuda {

// How many elements 16 bytes hold: the widest access of a thread.
template <class T>
inline constexpr int kElementsPer16Bytes = 16 / static_cast<int>(sizeof(T));

template <class T>
__device__ __forceinline__ T from_float(float value);
template <>
__device__ __forceinline__ float from_float<float>(float value) {
    return value;
}
template <>
__device__ __forceinline__ __half from_float<__half>(float value) {
    return __float2half_rn(value);
}
template <>
__device__ __forceinline__ __nv_bfloat16 from_float<__nv_bfloat16>(float value) {
    return __float2bfloat16_rn(value);
}

template <class T>
__device__ __forceinline__ float to_float(T value);
template <>
__device__ __forceinline__ float to_float<float>(float value) {
    return value;
}
template <>
__device__ __forceinline__ float to_float<__half>(__half value) {
    return __half2float(value);
}
template <>
__device__ __forceinline__ float to_float<__nv_bfloat16>(__nv_bfloat16 value) {
    return __bfloat162float(value);
}

// 16 bytes of elements, converted to float.
__device__ __forceinline__ void unpack(uint4 words, float (&v)[4], float) {
    v[0] = __uint_as_float(words.x);
    v[1] = __uint_as_float(words.y);
    v[2] = __uint_as_float(words.z);
    v[3] = __uint_as_float(words.w);
}

__device__ __forceinline__ void unpack_two(uint32_t word, float& low, float& high, __half) {
    low = __half2float(__ushort_as_half(static_cast<unsigned short>(word)));
    high = __half2float(__ushort_as_half(static_cast<unsigned short>(word >> 16)));
}
__device__ __forceinline__ void unpack_two(uint32_t word, float& low, float& high, __nv_bfloat16) {
    low = __uint_as_float(word << 16);
    high = __uint_as_float(word & 0xffff0000u);
}

template <class T>
__device__ __forceinline__ void unpack(uint4 words, float (&v)[8], T type) {
    unpack_two(words.x, v[0], v[1], type);
    unpack_two(words.y, v[2], v[3], type);
    unpack_two(words.z, v[4], v[5], type);
    unpack_two(words.w, v[6], v[7], type);
}

// 16 bytes of elements, converted from float.
__device__ __forceinline__ uint4 pack(const float (&v)[4], float) {
    return make_uint4(__float_as_uint(v[0]), __float_as_uint(v[1]), __float_as_uint(v[2]), __float_as_uint(v[3]));
}

// One instruction from sm_80 on.
__device__ __forceinline__ uint32_t pack_two(float low, float high, __half) {
    const __half2 pair = __floats2half2_rn(low, high);
    return __half_as_ushort(pair.x) | static_cast<uint32_t>(__half_as_ushort(pair.y)) << 16;
}
__device__ __forceinline__ uint32_t pack_two(float low, float high, __nv_bfloat16) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return __bfloat16_as_ushort(pair.x) | static_cast<uint32_t>(__bfloat16_as_ushort(pair.y)) << 16;
}

template <class T>
__device__ __forceinline__ uint4 pack(const float (&v)[8], T type) {
    return make_uint4(pack_two(v[0], v[1], type), pack_two(v[2], v[3], type), pack_two(v[4], v[5], type),
                      pack_two(v[6], v[7], type));
}

// The codes of a run, a byte each, four to a word: of `count` elements, or of a whole run in one store, for
// which `to` is aligned to the run.
template <int Words>
__device__ __forceinline__ void store_codes(void* to, const uint32_t (&words)[Words], int64_t count, bool whole) {
    static_assert(Words == 1 || Words == 2);
    if (whole) {
        if constexpr (Words == 2) __stcs(static_cast<uint2*>(to), make_uint2(words[0], words[1]));
        else __stcs(static_cast<uint32_t*>(to), words[0]);
        return;
    }
#pragma unroll
    for (int i = 0; i < Words * 4; ++i)
        if (i < count) static_cast<uint8_t*>(to)[i] = static_cast<uint8_t>(words[i / 4] >> (i % 4 * 8));
}

}  // namespace halfbyte::cuda
