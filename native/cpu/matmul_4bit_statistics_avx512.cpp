// absmax[b] = codebook[codes[b]] * nested_absmax[b >> shift] + offset, two roundings, 16 at a time.
//
// The 256 entries are 8 pairs of registers: a permutation of each pair by the low five bits gives 8 candidates, and three bits of
// the code choose among them. That is three times as fast as gathering.
#if defined(__x86_64__)
#include "matmul_4bit_weight.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

__m512 lookup(const float* codebook, __m512i codes) {
    __m512 v[8];
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j)
        v[j] = _mm512_permutex2var_ps(_mm512_loadu_ps(codebook + 32 * j), codes, _mm512_loadu_ps(codebook + 32 * j + 16));
    const __mmask16 bit5 = _mm512_test_epi32_mask(codes, _mm512_set1_epi32(32));
    const __mmask16 bit6 = _mm512_test_epi32_mask(codes, _mm512_set1_epi32(64));
    const __mmask16 bit7 = _mm512_test_epi32_mask(codes, _mm512_set1_epi32(128));
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) v[j] = _mm512_mask_blend_ps(bit5, v[2 * j], v[2 * j + 1]);
    return _mm512_mask_blend_ps(bit7, _mm512_mask_blend_ps(bit6, v[0], v[1]), _mm512_mask_blend_ps(bit6, v[2], v[3]));
}

}  // namespace

void decode_statistics_avx512(const Weight4Bit& weight, int64_t begin, int64_t end, float* out) {
    const __m512 offset = _mm512_set1_ps(weight.nested_offset);
    for (int64_t b = begin; b < end;) {
        const int64_t nested = b >> weight.nested_shift;
        const int64_t nested_end = (nested + 1) << weight.nested_shift;
        const int64_t limit = nested_end < end ? nested_end : end;
        const __m512 absmax = _mm512_set1_ps(weight.nested_absmax[nested]);
        for (; b < limit; b += 16) {
            const __mmask16 mask = limit - b >= 16 ? 0xffff : static_cast<__mmask16>((1u << (limit - b)) - 1);
            const __m512i codes = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, weight.absmax_codes + b));
            const __m512 value = _mm512_mul_ps(lookup(weight.nested_codebook, codes), absmax);
            _mm512_mask_storeu_ps(out + (b - begin), mask, _mm512_add_ps(value, offset));
        }
        b = limit;
    }
}

}  // namespace halfbyte::cpu
#endif
