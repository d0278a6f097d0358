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

constexpr __mmask64 kAll = ~__mmask64{0};

// Elements i + 16 j to i + 16 j + 15 as float32, where `columns` has a bit for each of 64 from i; the others are 0 and not touched.
template <DType dtype>
__m512 load(const void* x, int64_t i, int j, __mmask64 columns) {
    const auto mask = static_cast<__mmask16>(columns >> (16 * j));
    if constexpr (dtype == DType::kFloat32) return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(x) + i + 16 * j);
    const __m256i bits = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(x) + i + 16 * j);
    if constexpr (dtype == DType::kFloat16) return _mm512_cvtph_ps(bits);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// The largest magnitudes so far. The operands' order makes the maximum skip NaN.
struct Largest {
    __m512 lanes[4] = {};

    template <DType dtype>
    void add(const void* x, int64_t c, __mmask64 columns) {
        for (int j = 0; j < 4; ++j) lanes[j] = _mm512_max_ps(_mm512_abs_ps(load<dtype>(x, c, j, columns)), lanes[j]);
    }

    // Leaves out the elements from `threshold` on and returns a bit for each.
    template <DType dtype>
    uint64_t add_below(const void* x, int64_t c, __mmask64 columns, __m512 threshold) {
        uint64_t outliers = 0;
        for (int j = 0; j < 4; ++j) {
            const __m512 v = _mm512_abs_ps(load<dtype>(x, c, j, columns));
            const __mmask16 outlier = _mm512_cmp_ps_mask(v, threshold, _CMP_GE_OQ);
            lanes[j] = _mm512_mask_max_ps(lanes[j], static_cast<__mmask16>(~outlier), v, lanes[j]);
            outliers |= uint64_t{outlier} << (16 * j);
        }
        return outliers;
    }

    float value() const {
        return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(lanes[0], lanes[1]), _mm512_max_ps(lanes[2], lanes[3])));
    }
};

// The codes of 64 columns. Below -127 the conversion and the packing saturate to -128, which the last step lifts; above, the
// product is clamped before.
template <DType dtype>
__m512i codes_of(const void* x, int64_t c, __mmask64 columns, __m512 scale) {
    __m512i code[4];
    for (int j = 0; j < 4; ++j) {
        const __m512 product = _mm512_mul_ps(load<dtype>(x, c, j, columns), scale);
        const __mmask16 number = _mm512_cmp_ps_mask(product, product, _CMP_ORD_Q);
        code[j] = _mm512_maskz_cvtps_epi32(number, _mm512_min_ps(product, _mm512_set1_ps(127.0f)));
    }
    const __m512i packed = _mm512_packs_epi16(_mm512_packs_epi32(code[0], code[1]), _mm512_packs_epi32(code[2], code[3]));
    const __m512i lanes_in_order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_max_epi8(_mm512_permutexvar_epi32(lanes_in_order, packed), _mm512_set1_epi8(-127));
}

template <DType dtype>
float quantize(const void* x, int64_t cols, float threshold, uint64_t* outliers, int8_t* codes) {
    const int64_t whole = cols - cols % 64;
    const __mmask64 rest = (__mmask64{1} << (cols % 64)) - 1;
    Largest largest;
    if (threshold > 0) {
        const __m512 limit = _mm512_set1_ps(threshold);
        for (int64_t c = 0; c < whole; c += 64) outliers[c / 64] |= largest.add_below<dtype>(x, c, kAll, limit);
        if (rest != 0) outliers[whole / 64] |= largest.add_below<dtype>(x, whole, rest, limit);
    } else {
        for (int64_t c = 0; c < whole; c += 64) largest.add<dtype>(x, c, kAll);
        largest.add<dtype>(x, whole, rest);
    }
    const float absmax = largest.value();

    const __m512 scale = _mm512_set1_ps(127.0f / absmax);
    for (int64_t c = 0; c < whole; c += 64) _mm512_storeu_si512(codes + c, codes_of<dtype>(x, c, kAll, scale));
    if (rest != 0) _mm512_mask_storeu_epi8(codes + whole, rest, codes_of<dtype>(x, whole, rest, scale));
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
