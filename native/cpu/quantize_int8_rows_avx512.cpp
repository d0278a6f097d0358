// Quantizes a row to int8, AVX-512.
//
//   absmax = max |x| over the row's non-outliers,  codes = round_half_even(x * (127 / absmax))
//
// Both passes take 64 columns a step as four vectors of 16 float32, one outlier mask word, one vector of codes. The row is read
// from memory by the first pass and from the cache by the second: 2 or 4 bytes read and 1 written per element. Limit: memory.
#if defined(__x86_64__)
#include "quantize_int8_rows.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

// 16 elements as float32; those without a bit in `mask` are 0 and not touched.
template <DType dtype>
__m512 load(const void* x, int64_t i, __mmask16 mask) {
    if constexpr (dtype == DType::kFloat32) return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(x) + i);
    const __m256i bits = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(x) + i);
    if constexpr (dtype == DType::kFloat16) return _mm512_cvtph_ps(bits);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

__mmask64 first_columns(int64_t count) { return count >= 64 ? ~__mmask64{0} : (__mmask64{1} << count) - 1; }

// The operands' order makes the maximum skip NaN.
template <DType dtype>
float absmax_of(const void* x, int64_t cols) {
    __m512 best[4] = {};
    for (int64_t c = 0; c < cols; c += 64) {
        const __mmask64 mask = first_columns(cols - c);
        for (int j = 0; j < 4; ++j) {
            const __m512 v = load<dtype>(x, c + 16 * j, static_cast<__mmask16>(mask >> (16 * j)));
            best[j] = _mm512_max_ps(_mm512_abs_ps(v), best[j]);
        }
    }
    return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(best[0], best[1]), _mm512_max_ps(best[2], best[3])));
}

template <DType dtype>
float absmax_below(const void* x, int64_t cols, float threshold, uint64_t* outliers) {
    const __m512 limit = _mm512_set1_ps(threshold);
    __m512 best[4] = {};
    for (int64_t c = 0; c < cols; c += 64) {
        const __mmask64 mask = first_columns(cols - c);
        uint64_t found = 0;
        for (int j = 0; j < 4; ++j) {
            const __m512 v = _mm512_abs_ps(load<dtype>(x, c + 16 * j, static_cast<__mmask16>(mask >> (16 * j))));
            const __mmask16 outlier = _mm512_cmp_ps_mask(v, limit, _CMP_GE_OQ);
            best[j] = _mm512_mask_max_ps(best[j], static_cast<__mmask16>(~outlier), v, best[j]);
            found |= uint64_t{outlier} << (16 * j);
        }
        outliers[c / 64] |= found;
    }
    return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(best[0], best[1]), _mm512_max_ps(best[2], best[3])));
}

// Below -127 the conversion and the packing saturate to -128, which the last step lifts; above, the product is clamped before.
template <DType dtype>
void codes_of(const void* x, int64_t cols, float scale, int8_t* codes) {
    const __m512 factor = _mm512_set1_ps(scale), top = _mm512_set1_ps(127.0f);
    const __m512i lanes_in_order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (int64_t c = 0; c < cols; c += 64) {
        const __mmask64 mask = first_columns(cols - c);
        __m512i code[4];
        for (int j = 0; j < 4; ++j) {
            const __m512 product = _mm512_mul_ps(load<dtype>(x, c + 16 * j, static_cast<__mmask16>(mask >> (16 * j))), factor);
            const __mmask16 number = _mm512_cmp_ps_mask(product, product, _CMP_ORD_Q);
            code[j] = _mm512_maskz_cvtps_epi32(number, _mm512_min_ps(product, top));
        }
        const __m512i packed = _mm512_packs_epi16(_mm512_packs_epi32(code[0], code[1]), _mm512_packs_epi32(code[2], code[3]));
        const __m512i result = _mm512_max_epi8(_mm512_permutexvar_epi32(lanes_in_order, packed), _mm512_set1_epi8(-127));
        if (cols - c >= 64) _mm512_storeu_si512(codes + c, result);
        else _mm512_mask_storeu_epi8(codes + c, mask, result);
    }
}

template <DType dtype>
float quantize(const void* x, int64_t cols, float threshold, uint64_t* outliers, int8_t* codes) {
    const float absmax = threshold > 0 ? absmax_below<dtype>(x, cols, threshold, outliers) : absmax_of<dtype>(x, cols);
    codes_of<dtype>(x, cols, 127.0f / absmax, codes);
    return absmax;
}

}  // namespace

float quantize_int8_row_avx512(const void* x, DType dtype, int64_t cols, float threshold, uint64_t* outliers, int8_t* codes) {
    if (dtype == DType::kFloat32) return quantize<DType::kFloat32>(x, cols, threshold, outliers, codes);
    if (dtype == DType::kFloat16) return quantize<DType::kFloat16>(x, cols, threshold, outliers, codes);
    return quantize<DType::kBFloat16>(x, cols, threshold, outliers, codes);
}

}  // namespace halfbyte::cpu
#endif
