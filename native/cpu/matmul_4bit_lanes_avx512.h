// How the 4-bit products use AVX-512: 16 lanes of 8 codes, the whole table in one register. For the path's own files only.
//
// Lane i of a vector of codes is the 32-bit word of bytes 4i to 4i+3, so it holds elements 8i to 8i+7. Element 8i + e is the high
// nibble of byte e/2 if e is even, else the low one. vpermps looks at the low four bits of each lane and at nothing else: one shift
// and one permutation turn 16 codes into 16 exact table values.
#pragma once

#include <cstdint>

#include "x86.h"

namespace halfbyte::cpu {
namespace {

struct Lanes {
    static constexpr int kLanes = 16;
    static constexpr int kGroup = 8 * kLanes;
    using Float = __m512;
    using Codes = __m512i;
    using Index = __m512i;  // of a statistic, per lane
    struct Table {
        __m512 values;
    };

    static constexpr int kRegisters = 32;

    static Float zero() { return _mm512_setzero_ps(); }
    static Float load(const float* p) { return _mm512_loadu_ps(p); }
    // Loaded once: without this, compilers repeat the load in every instruction that uses it.
    static Float load_to_register(const float* p) {
        Float v = load(p);
        asm("" : "+v"(v));
        return v;
    }
    static Float broadcast(const float* p) { return _mm512_set1_ps(*p); }
    static Float broadcast_to_register(const float* p) {
        Float v = broadcast(p);
        asm("" : "+v"(v));
        return v;
    }
    static void store(float* p, Float v) { _mm512_storeu_ps(p, v); }
    static Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
    static Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
    static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
    static float sum(Float v) { return _mm512_reduce_add_ps(v); }

    // Sums of four vectors, each added in the same order.
    static __m128 sums(Float a, Float b, Float c, Float d) {
        const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        const __m512 s = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
        const __m256 t = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
        return _mm_add_ps(_mm256_castps256_ps128(t), _mm256_extractf128_ps(t, 1));
    }

    static Table table(const float* values) { return {_mm512_loadu_ps(values)}; }

    // The values of element e of each lane.
    template <int e>
    static Float lookup(Codes codes, Table table) {
        constexpr int kShift = e / 2 * 8 + (e % 2 == 0 ? 4 : 0);
        if constexpr (kShift == 0) return _mm512_permutexvar_ps(codes, table.values);
        else return _mm512_permutexvar_ps(_mm512_srli_epi32(codes, kShift), table.values);
    }

    // A whole group of codes, or its first `bytes` bytes (0 to 64) and zeros.
    static Codes load_codes(const uint8_t* p) { return _mm512_loadu_si512(p); }
    static Codes load_codes(const uint8_t* p, int bytes) {
        return _mm512_maskz_loadu_epi8(bytes >= 64 ? ~__mmask64{0} : (__mmask64{1} << bytes) - 1, p);
    }
    // Codes that begin with the low nibble of their first byte: `next` is the same group, loaded one byte later.
    static Codes join(Codes codes, Codes next) {
        const __m512i high = _mm512_slli_epi16(codes, 4), low = _mm512_srli_epi16(next, 4);
        return _mm512_ternarylogic_epi32(_mm512_set1_epi8(0x0f), low, high, 0xca);  // mask ? low : high
    }

    // Of the elements 8i + e, those below `count` keep their value; the others become zero.
    static Float keep(Float v, int e, int count) {
        return _mm512_maskz_mov_ps(_mm512_cmplt_epi32_mask(first_elements(), _mm512_set1_epi32(count - e)), v);
    }

    // Which statistic lane i uses, counted from the first: (position + 8i) >> shift, where position is its place in the first
    // block.
    static Index block_index(int position, int shift) {
        return _mm512_srl_epi32(_mm512_add_epi32(_mm512_set1_epi32(position), first_elements()), _mm_cvtsi32_si128(shift));
    }
    static Float spread(const float* statistics, Index index) {  // reads 8
        return _mm512_permutexvar_ps(index, _mm512_castps256_ps512(_mm256_loadu_ps(statistics)));
    }

    // arranged[e * stride + i] = x[8i + e]: 16 rows of 8 become 8 rows of 16.
    static void arrange(const float* x, float* arranged, int64_t stride) {
        // quad[p] has i = 4p..4p+3 in each 128-bit block, and in block b element e = b (half 0) or b + 4 (half 1).
        const __m512i first = _mm512_setr_epi32(0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27);
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
            const __m512i index = _mm512_add_epi32(first, _mm512_set1_epi32(4 * half));
            Float quad[4];
#pragma GCC unroll 4
            for (int p = 0; p < 4; ++p) quad[p] = _mm512_permutex2var_ps(load(x + 32 * p), index, load(x + 32 * p + 16));
            transpose_blocks(quad);
#pragma GCC unroll 4
            for (int e = 0; e < 4; ++e) store(arranged + (4 * half + e) * stride, quad[e]);
        }
    }

    // x[8i + e] = arranged[e * 16 + i]: the way back.
    static void restore(const float* arranged, float* x) {
        const __m512i index = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
        Float low[4], high[4];
#pragma GCC unroll 4
        for (int e = 0; e < 4; ++e) low[e] = load(arranged + 16 * e), high[e] = load(arranged + 64 + 16 * e);
        transpose_blocks(low);
        transpose_blocks(high);
#pragma GCC unroll 4
        for (int p = 0; p < 4; ++p) {
            store(x + 32 * p, _mm512_permutex2var_ps(low[p], index, high[p]));
            store(x + 32 * p + 16, _mm512_permutex2var_ps(low[p], _mm512_add_epi32(index, _mm512_set1_epi32(2)), high[p]));
        }
    }

   private:
    // A 4 x 4 transposition of 128-bit blocks.
    static void transpose_blocks(Float (&v)[4]) {
        const Float a = _mm512_shuffle_f32x4(v[0], v[1], 0x44), b = _mm512_shuffle_f32x4(v[2], v[3], 0x44);
        const Float c = _mm512_shuffle_f32x4(v[0], v[1], 0xee), d = _mm512_shuffle_f32x4(v[2], v[3], 0xee);
        v[0] = _mm512_shuffle_f32x4(a, b, 0x88), v[1] = _mm512_shuffle_f32x4(a, b, 0xdd);
        v[2] = _mm512_shuffle_f32x4(c, d, 0x88), v[3] = _mm512_shuffle_f32x4(c, d, 0xdd);
    }

    // The first element that each lane holds.
    static __m512i first_elements() { return _mm512_setr_epi32(0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120); }
};

}  // namespace
}  // namespace halfbyte::cpu
