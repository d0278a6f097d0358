// 256-bit pieces that several kernels share: typed loads, the largest magnitude of a block, rounding to 16 bits.
//
// For files named *_avx2.cpp only. Everything is in an anonymous namespace, so that no copy compiled with these instructions can be
// linked into another path.
#pragma once

#include "core/operations.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

// Elements i to i + 7 as float32.
template <DType dtype>
inline __m256 load_8(const void* data, int64_t i) {
    if constexpr (dtype == DType::kFloat32) return _mm256_loadu_ps(static_cast<const float*>(data) + i);
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const uint16_t*>(data) + i));
    if constexpr (dtype == DType::kFloat16) return _mm256_cvtph_ps(x);
    else return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}

// Elements i to i + 15, split: a lane of `even` and the same lane of `odd` are neighbours. bfloat16 pairs are in order; the other
// types' pairs are 0 1 4 5 | 2 3 6 7, which is how shuffles within halves of a register leave them.
struct EvenOdd {
    __m256 even, odd;
};

template <DType dtype>
inline EvenOdd load_even_odd(const void* data, int64_t i) {
    if constexpr (dtype == DType::kBFloat16) {  // a dword holds a pair; a bfloat16 is the upper half of its float32
        const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(static_cast<const uint16_t*>(data) + i));
        return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
                _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xffff0000))))};
    } else {
        const __m256 low = load_8<dtype>(data, i), high = load_8<dtype>(data, i + 8);
        return {_mm256_shuffle_ps(low, high, _MM_SHUFFLE(2, 0, 2, 0)), _mm256_shuffle_ps(low, high, _MM_SHUFFLE(3, 1, 3, 1))};
    }
}

// The low bytes of the lanes that load_even_odd made, in the order of their pairs, as the lower 8 bytes.
template <DType dtype>
inline __m128i gather_bytes(__m256i lanes) {
    const __m256i low_bytes = _mm256_set1_epi32(0x0c080400);
    const __m256i gathered = _mm256_shuffle_epi8(lanes, low_bytes);
    const __m128i low = _mm256_castsi256_si128(gathered), high = _mm256_extracti128_si256(gathered, 1);
    return dtype == DType::kBFloat16 ? _mm_unpacklo_epi32(low, high) : _mm_unpacklo_epi16(low, high);
}

// The same for the low words: 16 bytes.
template <DType dtype>
inline __m128i gather_words(__m256i lanes) {
    const __m256i low_words = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13));
    const __m256i gathered = _mm256_shuffle_epi8(lanes, low_words);
    const __m128i low = _mm256_castsi256_si128(gathered), high = _mm256_extracti128_si256(gathered, 1);
    return dtype == DType::kBFloat16 ? _mm_unpacklo_epi64(low, high) : _mm_unpacklo_epi32(low, high);
}

// max |x| of `count` elements from `first` on, a multiple of 16; NaN ignored.
template <DType dtype>
inline float absmax_of_block(const void* data, int64_t first, int64_t count) {
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 largest = _mm256_setzero_ps(), largest_odd = _mm256_setzero_ps();
    for (int64_t i = first; i < first + count; i += 16) {  // max returns its second operand if the first is NaN
        const EvenOdd x = load_even_odd<dtype>(data, i);
        largest = _mm256_max_ps(_mm256_and_ps(x.even, magnitude), largest);
        largest_odd = _mm256_max_ps(_mm256_and_ps(x.odd, magnitude), largest_odd);
    }
    largest = _mm256_max_ps(largest, largest_odd);
    __m128 max = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
    max = _mm_max_ps(max, _mm_movehl_ps(max, max));
    return _mm_cvtss_f32(_mm_max_ss(max, _mm_movehdup_ps(max)));
}

// 8 values rounded to nearest even, NaN kept NaN.
template <DType dtype>
inline __m128i to_16_bits(__m256 values) {
    if constexpr (dtype == DType::kFloat16) {
        return _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    } else {
        const __m256i bits = _mm256_castps_si256(values);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
        const __m256 quiet = _mm256_castsi256_ps(_mm256_or_si256(bits, _mm256_set1_epi32(0x400000)));
        const __m256 nan = _mm256_cmp_ps(values, values, _CMP_UNORD_Q);
        const __m256i result = _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(rounded), quiet, nan));
        const __m256i upper = _mm256_srli_epi32(result, 16);
        return _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1));
    }
}

// Stores 32 bytes; streaming stores go around the caches and need an aligned address.
template <bool streaming>
inline void store_256(void* address, __m256i value) {
    if constexpr (streaming) _mm256_stream_si256(static_cast<__m256i*>(address), value);
    else _mm256_storeu_si256(static_cast<__m256i*>(address), value);
}

// Elements i to i + 15 of `output`, rounded once.
template <DType dtype, bool streaming>
inline void store_16(void* output, int64_t i, __m256 low, __m256 high) {
    if constexpr (dtype == DType::kFloat32) {
        store_256<streaming>(static_cast<float*>(output) + i, _mm256_castps_si256(low));
        store_256<streaming>(static_cast<float*>(output) + i + 8, _mm256_castps_si256(high));
    } else {
        const __m256i words = _mm256_set_m128i(to_16_bits<dtype>(high), to_16_bits<dtype>(low));
        store_256<streaming>(static_cast<uint16_t*>(output) + i, words);
    }
}

}  // namespace
}  // namespace halfbyte::cpu
