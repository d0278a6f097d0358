// absmax[b] = codebook[codes[b]] * nested_absmax[b >> shift] + offset, two roundings, 64 at a time.
//
// VBMI looks up bytes in tables of 128: the codebook is kept as four planes of 256 bytes, byte p of every entry in plane p. Per
// plane two lookups and a blend by the code's top bit give one byte of 64 values; interleaving the planes gives the values. The
// codes are permuted first, so that the interleaving, which works within 128 bits, leaves the values in order.
#if defined(__x86_64__)
#include "matmul_4bit_weight.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

// The first `count` codes, at most 64. A narrow load where it suffices: a masked one waits for lines of which it uses nothing.
__m512i load_codes(const uint8_t* codes, int64_t count) {
    if (count >= 64) return _mm512_loadu_si512(codes);
    if (count > 32) return _mm512_maskz_loadu_epi8((__mmask64{1} << count) - 1, codes);
    if (count > 16)
        return _mm512_zextsi256_si512(_mm256_maskz_loadu_epi8(static_cast<__mmask32>((uint64_t{1} << count) - 1), codes));
    return _mm512_zextsi128_si512(_mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << count) - 1), codes));
}

}  // namespace

void split_codebook_avx512_bf16(const float* codebook, uint8_t (&planes)[4][256]) {
    for (int i = 0; i < 256; i += 16) {
        const __m512i bits = _mm512_castps_si512(_mm512_loadu_ps(codebook + i));
        const __m512i shifts = _mm512_set1_epi32(8);
        __m512i plane = bits;
#pragma GCC unroll 4
        for (int p = 0; p < 4; ++p, plane = _mm512_srlv_epi32(plane, shifts))
            _mm_store_si128(reinterpret_cast<__m128i*>(planes[p] + i), _mm512_cvtepi32_epi8(plane));
    }
}

void decode_statistics_avx512_bf16(const Weight4Bit& weight, int64_t begin, int64_t end, float* out) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512 offset = _mm512_set1_ps(weight.nested_offset);
    for (int64_t b = begin; b < end;) {
        const int64_t nested = b >> weight.nested_shift;
        const int64_t nested_end = (nested + 1) << weight.nested_shift;
        const int64_t limit = nested_end < end ? nested_end : end;
        const __m512 absmax = _mm512_set1_ps(weight.nested_absmax[nested]);
        for (; b < limit; b += 64) {
            const __m512i codes = _mm512_permutexvar_epi32(order, load_codes(weight.absmax_codes + b, limit - b));
            const __mmask64 upper = _mm512_movepi8_mask(codes);
            __m512i bytes[4];
#pragma GCC unroll 4
            for (int p = 0; p < 4; ++p) {
                const uint8_t* plane = weight.planes[p];
                const __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(plane), codes, _mm512_load_si512(plane + 64));
                const __m512i high =
                    _mm512_permutex2var_epi8(_mm512_load_si512(plane + 128), codes, _mm512_load_si512(plane + 192));
                bytes[p] = _mm512_mask_blend_epi8(upper, low, high);
            }
            const __m512i low01 = _mm512_unpacklo_epi8(bytes[0], bytes[1]), low23 = _mm512_unpacklo_epi8(bytes[2], bytes[3]);
            const __m512i high01 = _mm512_unpackhi_epi8(bytes[0], bytes[1]), high23 = _mm512_unpackhi_epi8(bytes[2], bytes[3]);
            const __m512i values[4] = {_mm512_unpacklo_epi16(low01, low23), _mm512_unpackhi_epi16(low01, low23),
                                       _mm512_unpacklo_epi16(high01, high23), _mm512_unpackhi_epi16(high01, high23)};
#pragma GCC unroll 4
            for (int q = 0; q < 4; ++q) {
                const __m512 value = _mm512_add_ps(_mm512_mul_ps(_mm512_castsi512_ps(values[q]), absmax), offset);
                const int64_t left = limit - b - 16 * q;
                if (left >= 16) _mm512_storeu_ps(out + (b - begin) + 16 * q, value);
                else if (left > 0)
                    _mm512_mask_storeu_ps(out + (b - begin) + 16 * q, static_cast<__mmask16>((1u << left) - 1), value);
            }
        }
        b = limit;
    }
}

}  // namespace halfbyte::cpu
#endif
