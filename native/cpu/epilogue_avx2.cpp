// y = round(sums + bias), 8 elements at a time.
#if defined(__x86_64__)
#include "epilogue.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

__m256 load(DType dtype, const void* data, int64_t i) {
    if (dtype == DType::kFloat32) return _mm256_loadu_ps(static_cast<const float*>(data) + i);
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const uint16_t*>(data) + i));
    return dtype == DType::kFloat16 ? _mm256_cvtph_ps(bits)
                                    : _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

// Integer rounding: the processor's own bfloat16 conversions flush denormals.
__m128i round_to_bfloat16(__m256 value) {
    const __m256i bits = _mm256_castps_si256(value);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
    const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
    const __m256 nan = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
    const __m256i result = _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(nan));
    return _mm_packus_epi32(_mm256_castsi256_si128(result), _mm256_extracti128_si256(result, 1));
}

void store(DType dtype, void* data, int64_t i, __m256 value) {
    if (dtype == DType::kFloat32) return _mm256_storeu_ps(static_cast<float*>(data) + i, value);
    const __m128i bits = dtype == DType::kFloat16 ? _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT) : round_to_bfloat16(value);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(static_cast<uint16_t*>(data) + i), bits);
}

}  // namespace

void store_row_avx2(const OutputRow& row, const float* sums, int64_t count) {
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256 value = _mm256_loadu_ps(sums + i);
        if (row.bias != nullptr) value = _mm256_add_ps(value, load(row.bias_dtype, row.bias, i));
        store(row.dtype, row.y, i, value);
    }
    if (i == count) return;
    const int64_t y_offset = i * (row.dtype == DType::kFloat32 ? 4 : 2);
    const int64_t bias_offset = i * (row.bias_dtype == DType::kFloat32 ? 4 : 2);
    const void* bias = row.bias == nullptr ? nullptr : static_cast<const char*>(row.bias) + bias_offset;
    store_row_scalar({static_cast<char*>(row.y) + y_offset, row.dtype, bias, row.bias_dtype}, sums + i, count - i);
}

}  // namespace halfbyte::cpu
#endif
