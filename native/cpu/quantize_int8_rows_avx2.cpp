// Quantizes a row to int8, AVX2.
//
//   absmax = max |x| over the row's non-outliers,  codes = round_half_even(x * (127 / absmax))
//
// Both passes take 32 columns a step as four vectors of 8 float32: half an outlier mask word, one vector of codes. A row's last
// step works on a copy padded with zeros, which are no outliers and change no maximum. 2 or 4 bytes read, 1 written per element.
// Limit: memory, or for float16 and bfloat16 in the cache the conversions.
#if defined(__x86_64__)
#include <cstring>

#include "quantize_int8_rows.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

// Elements i to i + 7 as float32.
template <DType dtype>
__m256 load(const void* x, int64_t i) {
    if constexpr (dtype == DType::kFloat32) return _mm256_loadu_ps(static_cast<const float*>(x) + i);
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const uint16_t*>(x) + i));
    if constexpr (dtype == DType::kFloat16) return _mm256_cvtph_ps(bits);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

template <DType dtype>
constexpr int64_t kBytes = dtype == DType::kFloat32 ? 4 : 2;

// The last cols % 32 elements of a row, then zeros.
template <DType dtype>
struct Tail {
    alignas(32) char elements[32 * kBytes<dtype>] = {};

    Tail(const void* x, int64_t cols) {
        const int64_t rest = cols % 32;
        if (rest == 0) return;
        std::memcpy(elements, static_cast<const char*>(x) + (cols - rest) * kBytes<dtype>,
                    static_cast<size_t>(rest * kBytes<dtype>));
    }
};

// The operands' order makes the maximum skip NaN.
template <DType dtype>
void absmax_step(const void* x, int64_t c, __m256 best[4]) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    for (int j = 0; j < 4; ++j) best[j] = _mm256_max_ps(_mm256_andnot_ps(sign, load<dtype>(x, c + 8 * j)), best[j]);
}

// As above for the elements below `threshold`; returns a bit for each of the others.
template <DType dtype>
uint32_t absmax_below_step(const void* x, int64_t c, __m256 threshold, __m256 best[4]) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    uint32_t found = 0;
    for (int j = 0; j < 4; ++j) {
        const __m256 v = _mm256_andnot_ps(sign, load<dtype>(x, c + 8 * j));
        const __m256 outlier = _mm256_cmp_ps(v, threshold, _CMP_GE_OQ);
        best[j] = _mm256_max_ps(_mm256_andnot_ps(outlier, v), best[j]);
        found |= static_cast<uint32_t>(_mm256_movemask_ps(outlier)) << (8 * j);
    }
    return found;
}

float largest(const __m256 best[4]) {
    const __m256 v = _mm256_max_ps(_mm256_max_ps(best[0], best[1]), _mm256_max_ps(best[2], best[3]));
    __m128 h = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    h = _mm_max_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
}

// Below -127 the conversion and the packing saturate to -128, which the last step lifts; above, the product is clamped before.
template <DType dtype>
__m256i codes_step(const void* x, int64_t c, __m256 factor) {
    __m256i code[4];
    for (int j = 0; j < 4; ++j) {
        const __m256 product = _mm256_mul_ps(load<dtype>(x, c + 8 * j), factor);
        const __m256 number = _mm256_cmp_ps(product, product, _CMP_ORD_Q);
        code[j] = _mm256_cvtps_epi32(_mm256_and_ps(number, _mm256_min_ps(product, _mm256_set1_ps(127.0f))));
    }
    const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(code[0], code[1]), _mm256_packs_epi32(code[2], code[3]));
    const __m256i in_order = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    return _mm256_max_epi8(in_order, _mm256_set1_epi8(-127));
}

template <DType dtype>
float quantize(const void* x, int64_t cols, float threshold, uint64_t* outliers, int8_t* codes) {
    const int64_t whole = cols - cols % 32;
    const Tail<dtype> tail(x, cols);
    __m256 best[4] = {};
    if (threshold > 0) {
        const __m256 limit = _mm256_set1_ps(threshold);
        for (int64_t c = 0; c < whole; c += 32)
            outliers[c / 64] |= uint64_t{absmax_below_step<dtype>(x, c, limit, best)} << (c % 64);
        if (whole < cols) outliers[whole / 64] |= uint64_t{absmax_below_step<dtype>(tail.elements, 0, limit, best)} << (whole % 64);
    } else {
        for (int64_t c = 0; c < whole; c += 32) absmax_step<dtype>(x, c, best);
        absmax_step<dtype>(tail.elements, 0, best);
    }
    const float absmax = largest(best);

    const __m256 factor = _mm256_set1_ps(127.0f / absmax);
    for (int64_t c = 0; c < whole; c += 32)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + c), codes_step<dtype>(x, c, factor));
    if (whole < cols) {
        alignas(32) int8_t rest[32];
        _mm256_store_si256(reinterpret_cast<__m256i*>(rest), codes_step<dtype>(tail.elements, 0, factor));
        std::memcpy(codes + whole, rest, static_cast<size_t>(cols - whole));
    }
    return absmax;
}

}  // namespace

float quantize_int8_row_avx2(const void* x, DType dtype, int64_t cols, float threshold, uint64_t* outliers, int8_t* codes) {
    if (dtype == DType::kFloat32) return quantize<DType::kFloat32>(x, cols, threshold, outliers, codes);
    if (dtype == DType::kFloat16) return quantize<DType::kFloat16>(x, cols, threshold, outliers, codes);
    return quantize<DType::kBFloat16>(x, cols, threshold, outliers, codes);
}

}  // namespace halfbyte::cpu
#endif
