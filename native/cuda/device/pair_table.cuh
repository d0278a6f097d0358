// Two 4-bit codes to two values of a 16-bit type in one load: the operand of a tensor core, byte by byte of the packed weight.
//
// An entry is a 32-bit word for a byte of two codes: the value of the high nibble, which is the first of the two, in the lower
// half. Every entry has 32 copies, one per lane, so that the lanes of a warp always load from 32 different banks. Entries lie
// `Stride` bytes apart:
//   256   64 KB; byte << 8 | 4 * lane, the address, is one permute of the word that holds the byte. sm_80 and sm_90
//   128   32 KB; the same permute, with 8 * lane, and a shift. Where a block has less shared memory: sm_75, sm_86, sm_89
// The other half of 256 bytes holds a second table for bytes, of floats: the codebook of nested statistics, in 32 copies too.
//
// Values are multiplied by a constant before they are rounded to the 16-bit type, and sums are divided by it at the end, in
// float32: rounding is relative, so a constant that puts the frequent values of the table close to representable ones costs nothing
// and loses less. Root mean square error relative to the largest value, weighted with how often normally distributed weights have
// each code: NF4 in bfloat16 0.00031 (0.00054 with 1, 0.00065 for values that are multiplied by their statistic and then rounded),
// NF4 in float16 0.000031 (0.000073 with 1); FP4 times 1.5 is exact. A caller's own table in float16 is scaled by a power of two
// that keeps its largest magnitude finite and its small ones normal; in bfloat16 it fits as it is. Values that are too small for
// that become NaN, and so do the sums with them, which the kernel then makes from the definition.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "cuda/device/element.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/weights_4bit.cuh"

namespace halfbyte::cuda {

template <class T>
inline constexpr float kNf4Scale = 1.4367141723632812f;
template <>
inline constexpr float kNf4Scale<__half> = 1.3661918640136719f;
inline constexpr float kFp4Scale = 1.5f;

// What the table values of a weight are multiplied by.
template <class T>
__device__ inline float scale_of_table(const Weight4Bit& weight) {
    if (weight.custom == nullptr) return weight.is_fp4 ? kFp4Scale : kNf4Scale<T>;
    if constexpr (std::is_same_v<T, __half>) {
        uint32_t largest = 0;  // of the exponents
#pragma unroll
        for (int i = 0; i < 16; ++i) largest = max(largest, __float_as_uint(weight.custom[i]) >> 23 & 255u);
        // The largest magnitude comes between 2^13 and 2^14; a table of zeros, or one that is not finite, stays as it is.
        if (largest == 0 || largest == 255) return 1.0f;
        return __uint_as_float(min(max(254u + 13u - largest, 1u), 253u) << 23);
    } else {
        return 1.0f;
    }
}

// A scaled value as the type holds it, or NaN if that is off by more than rounding a normal number is.
template <class T>
__device__ inline float held_value(float value, float scale, float inverse) {
    constexpr float kMostRounded = std::is_same_v<T, __half> ? 0x1p-11f : 0x1p-8f;
    const float scaled = value * scale, held = to_float(from_float<T>(scaled));
    return fabsf(value) < INFINITY && fabsf(held * inverse - value) / kMostRounded > fabsf(value) ? NAN : scaled;
}

template <class T, int Stride>
struct PairTable {
    static_assert(Stride == 128 || Stride == 256);
    static constexpr int kPerEntry = Stride / 4;
    static constexpr bool kHasRoom = Stride == 256;                        // for 32 copies of the floats
    alignas(1024) uint32_t words[256 * kPerEntry + (kHasRoom ? 0 : 256)];  // without room the floats follow

    // All `Threads` threads of the block fill it; a barrier must follow.
    template <int Threads>
    __device__ void fill(const Weights4Bit& weights, const Weight4Bit& weight) {
        const float scale = scale_of_table<T>(weight), inverse = 1 / scale;
        const int lane = static_cast<int>(threadIdx.x) % 8;  // eight lanes store the 128 bytes of an entry
#pragma unroll 1
        for (int byte = static_cast<int>(threadIdx.x) / 8; byte < 256; byte += Threads / 8) {
            const uint32_t word =
                pack_two(held_value<T>(table_value(weights, weight, static_cast<unsigned>(byte) >> 4), scale, inverse),
                         held_value<T>(table_value(weights, weight, static_cast<unsigned>(byte) & 15u), scale, inverse), T{});
            *reinterpret_cast<uint4*>(&words[byte * kPerEntry + 4 * lane]) = make_uint4(word, word, word, word);
        }
    }

    // The same for the table of floats.
    template <int Threads>
    __device__ void fill_floats(const float* values) {
        if constexpr (kHasRoom) {
            const int lane = static_cast<int>(threadIdx.x) % 8;
#pragma unroll
            for (int i = 0; i < 256 * 8 / Threads; ++i) {
                const int byte = static_cast<int>(threadIdx.x) / 8 + i * (Threads / 8);
                const uint32_t word = __float_as_uint(values[byte]);
                *reinterpret_cast<uint4*>(&words[byte * kPerEntry + 32 + 4 * lane]) = make_uint4(word, word, word, word);
            }
        } else {
            static_assert(Threads == 256);
            words[256 * kPerEntry + threadIdx.x] = __float_as_uint(values[threadIdx.x]);
        }
    }

    // What get() and get_float() want of their lane.
    __device__ static __forceinline__ uint32_t lane_part() { return threadIdx.x % 32 * (1024 / Stride); }

    // The two values of byte `Byte` of `packed`.
    template <int Byte>
    __device__ __forceinline__ uint32_t get(uint32_t packed, uint32_t lane_part) const {
        uint32_t offset = ptx::prmt(packed, lane_part, 0x5504u | Byte << 4);
        if constexpr (Stride == 128) offset >>= 1;
        return *reinterpret_cast<const uint32_t*>(reinterpret_cast<const unsigned char*>(words) + offset);
    }

    // The float of byte `Byte` of `packed`.
    template <int Byte>
    __device__ __forceinline__ float get_float(uint32_t packed, uint32_t lane_part) const {
        if constexpr (kHasRoom) {
            const uint32_t offset = ptx::prmt(packed, lane_part, 0x5504u | Byte << 4);
            return *reinterpret_cast<const float*>(reinterpret_cast<const unsigned char*>(words + 32) + offset);
        } else {
            return __uint_as_float(words[256 * kPerEntry + ptx::prmt(packed, 0, 0x4440u | Byte)]);
        }
    }
};

}  // namespace halfbyte::cuda
