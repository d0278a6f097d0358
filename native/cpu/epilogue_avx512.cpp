// y = round(sums + bias), 16 elements at a time, the last ones masked.
#if defined(__x86_64__)
#include "epilogue.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

__m512 load(DType dtype, const void* data, int64_t i, __mmask16 mask) {
    if (dtype == DType::kFloat32) return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(data) + i);
    const __m256i bits = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(data) + i);
    return dtype == DType::kFloat16 ? _mm512_cvtph_ps(bits)
                                    : _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// Integer rounding: the processor's own bfloat16 conversion flushes denormals.
__m256i round_to_bfloat16(__m512 value) {
    const __m512i bits = _mm512_castps_si512(value);
    const __m512i high = _mm512_srli_epi32(bits, 16);
    const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40)));
}

void store(DType dtype, void* data, int64_t i, __mmask16 mask, __m512 value) {
    if (dtype == DType::kFloat32) return _mm512_mask_storeu_ps(static_cast<float*>(data) + i, mask, value);
    const __m256i bits = dtype == DType::kFloat16 ? _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT) : round_to_bfloat16(value);
    _mm256_mask_storeu_epi16(static_cast<uint16_t*>(data) + i, mask, bits);
}

}  // namespace

void store_row_avx512(const OutputRow& row, const float* sums, int64_t count) {
    for (int64_t i = 0; i < count; i += 16) {
        const __mmask16 mask = count - i >= 16 ? 0xffff : static_cast<__mmask16>((1u << (count - i)) - 1);
        __m512 value = _mm512_maskz_loadu_ps(mask, sums + i);
        if (row.bias != nullptr) value = _mm512_add_ps(value, load(row.bias_dtype, row.bias, i, mask));
        store(row.dtype, row.y, i, mask, value);
    }
}

}  // namespace halfbyte::cpu
#endif
