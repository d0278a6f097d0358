// 512-bit pieces that several kernels share: typed loads, the largest magnitude of a block, rounding to 16 bits.
//
// For files named *_avx512.cpp and *_avx512_bf16.cpp only. Everything is in an anonymous namespace, so that no copy compiled with
// these instructions can be linked into another path.
#pragma once

#include "core/operations.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

// Elements i to i + 31, split: lane j of `even` is element i + 2j, lane j of `odd` the one after it.
struct EvenOdd {
    __m512 even, odd;
};

template <DType dtype>
inline EvenOdd load_even_odd(const void* data, int64_t i) {
    if constexpr (dtype == DType::kBFloat16) {  // a dword holds a pair; a bfloat16 is the upper half of its float32
        const __m512i pairs = _mm512_loadu_si512(static_cast<const uint16_t*>(data) + i);
        return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
                _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000))))};
    } else {
        __m512 low, high;
        if constexpr (dtype == DType::kFloat32) {
            low = _mm512_loadu_ps(static_cast<const float*>(data) + i);
            high = _mm512_loadu_ps(static_cast<const float*>(data) + i + 16);
        } else {
            const uint16_t* source = static_cast<const uint16_t*>(data) + i;
            low = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(source)));
            high = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(source + 16)));
        }
        const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
        return {_mm512_permutex2var_ps(low, even, high), _mm512_permutex2var_ps(low, odd, high)};
    }
}

// The largest of 32 unsigned words.
inline int reduce_max_epu16(__m512i words) {
    const __m256i half = _mm256_max_epu16(_mm512_castsi512_si256(words), _mm512_extracti64x4_epi64(words, 1));
    const __m128i quarter = _mm_max_epu16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    const __m128i flipped = _mm_xor_si128(quarter, _mm_set1_epi16(-1));  // the one horizontal instruction finds a minimum
    return 0xffff ^ _mm_extract_epi16(_mm_minpos_epu16(flipped), 0);
}

// max |x| of `count` elements from `first` on, a multiple of 32; NaN if one of them is. The bits without the sign order as integers
// like the magnitudes they stand for, NaN last.
template <DType dtype>
inline float largest_magnitude(const void* data, int64_t first, int64_t count) {
    int bits;
    if constexpr (dtype == DType::kFloat32) {
        const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
        __m512i even = _mm512_setzero_si512(), odd = even;
        for (int64_t i = first; i < first + count; i += 32) {
            const float* source = static_cast<const float*>(data) + i;
            even = _mm512_max_epu32(even, _mm512_and_si512(_mm512_loadu_si512(source), magnitude));
            odd = _mm512_max_epu32(odd, _mm512_and_si512(_mm512_loadu_si512(source + 16), magnitude));
        }
        bits = static_cast<int>(_mm512_reduce_max_epu32(_mm512_max_epu32(even, odd)));
    } else {
        const __m512i magnitude = _mm512_set1_epi16(0x7fff);
        __m512i largest = _mm512_setzero_si512();
        for (int64_t i = first; i < first + count; i += 32) {
            const __m512i x = _mm512_loadu_si512(static_cast<const uint16_t*>(data) + i);
            largest = _mm512_max_epu16(largest, _mm512_and_si512(x, magnitude));
        }
        bits = reduce_max_epu16(largest) << 16;
    }
    const __m128i vector = _mm_cvtsi32_si128(bits);
    return _mm_cvtss_f32(dtype == DType::kFloat16 ? _mm_cvtph_ps(_mm_srli_epi32(vector, 16)) : _mm_castsi128_ps(vector));
}

// 16 values rounded to nearest even, NaN kept NaN. VCVTNEPS2BF16 would flush subnormal numbers, so bfloat16 rounds in integers.
template <DType dtype>
inline __m256i to_16_bits(__m512 values) {
    if constexpr (dtype == DType::kFloat16) {
        return _mm512_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    } else {
        const __m512i bits = _mm512_castps_si512(values);
        const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
        __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
        const __mmask16 nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
        rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
        return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
    }
}

// Stores 64 bytes; streaming stores go around the caches and need an aligned address.
template <bool streaming>
inline void store_512(void* address, __m512i value) {
    if constexpr (streaming) _mm512_stream_si512(static_cast<__m512i*>(address), value);
    else _mm512_storeu_si512(address, value);
}

// Elements i to i + 31 of `output`, rounded once.
template <DType dtype, bool streaming>
inline void store_32(void* output, int64_t i, __m512 low, __m512 high) {
    if constexpr (dtype == DType::kFloat32) {
        store_512<streaming>(static_cast<float*>(output) + i, _mm512_castps_si512(low));
        store_512<streaming>(static_cast<float*>(output) + i + 16, _mm512_castps_si512(high));
    } else {
        const __m512i words = _mm512_castsi256_si512(to_16_bits<dtype>(low));
        store_512<streaming>(static_cast<uint16_t*>(output) + i, _mm512_inserti64x4(words, to_16_bits<dtype>(high), 1));
    }
}

}  // namespace
}  // namespace halfbyte::cpu
