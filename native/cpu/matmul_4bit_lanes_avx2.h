// How the 4-bit products use AVX2: 8 lanes of 8 codes, the table in two registers. For the path's own files only.
//
// Lane i of a vector of codes is the 32-bit word of bytes 4i to 4i+3, so it holds elements 8i to 8i+7. Element 8i + e is the high
// nibble of byte e/2 if e is even, else the low one. vpermps looks at the low three bits of each lane: one permutation of each half
// of the table, and the code's fourth bit, moved to the sign, chooses between them.
#pragma once

#include <cstdint>

#include "x86.h"

namespace halfbyte::cpu {
namespace {

struct Lanes {
    static constexpr int kLanes = 8;
    static constexpr int kGroup = 8 * kLanes;
    using Float = __m256;
    using Codes = __m256i;
    using Index = __m256i;  // of a statistic, per lane
    struct Table {
        __m256 low, high;
    };

    static constexpr int kRegisters = 16;

    static Float zero() { return _mm256_setzero_ps(); }
    static Float load(const float* p) { return _mm256_loadu_ps(p); }
    // Loaded once: without this, compilers repeat the load in every instruction that uses it.
    static Float load_to_register(const float* p) {
        Float v = load(p);
        asm("" : "+x"(v));
        return v;
    }
    static Float broadcast(const float* p) { return _mm256_broadcast_ss(p); }
    static Float broadcast_to_register(const float* p) {
        Float v = broadcast(p);
        asm("" : "+x"(v));
        return v;
    }
    static void store(float* p, Float v) { _mm256_storeu_ps(p, v); }
    static Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
    static Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
    static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
    static float sum(Float v) { return _mm_cvtss_f32(sums(v, v, v, v)); }

    // Sums of four vectors, each added in the same order.
    static __m128 sums(Float a, Float b, Float c, Float d) {
        const __m256 ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        const __m256 cd = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        const __m256 s = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
        return _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    }

    static Table table(const float* values) { return {_mm256_loadu_ps(values), _mm256_loadu_ps(values + 8)}; }

    // The values of element e of each lane.
    template <int e>
    static Float lookup(Codes codes, Table table) {
        constexpr int kShift = e / 2 * 8 + (e % 2 == 0 ? 4 : 0);
        const __m256i index = kShift == 0 ? codes : _mm256_srli_epi32(codes, kShift);
        const __m256i sign = kShift == 28 ? codes : _mm256_slli_epi32(codes, 28 - kShift);
        return _mm256_blendv_ps(_mm256_permutevar8x32_ps(table.low, index), _mm256_permutevar8x32_ps(table.high, index),
                                _mm256_castsi256_ps(sign));
    }

    // A whole group of codes, or its first `bytes` bytes (0 to 32) and zeros.
    static Codes load_codes(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
    static Codes load_codes(const uint8_t* p, int bytes) {
        alignas(32) uint8_t copy[32] = {};
        __builtin_memcpy(copy, p, static_cast<size_t>(bytes));
        return load_codes(copy);
    }
    // Codes that begin with the low nibble of their first byte: `next` is the same group, loaded one byte later.
    static Codes join(Codes codes, Codes next) {
        const __m256i high = _mm256_slli_epi16(codes, 4), low = _mm256_srli_epi16(next, 4), mask = _mm256_set1_epi8(0x0f);
        return _mm256_or_si256(_mm256_and_si256(mask, low), _mm256_andnot_si256(mask, high));
    }

    // Of the elements 8i + e, those below `count` keep their value; the others become zero.
    static Float keep(Float v, int e, int count) {
        return _mm256_and_ps(v, _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(count - e), first_elements())));
    }

    // Which statistic lane i uses, counted from the first: (position + 8i) >> shift, where position is its place in the first
    // block.
    static Index block_index(int position, int shift) {
        return _mm256_srl_epi32(_mm256_add_epi32(_mm256_set1_epi32(position), first_elements()), _mm_cvtsi32_si128(shift));
    }
    static Float spread(const float* statistics, Index index) {  // reads 8
        return _mm256_permutevar8x32_ps(_mm256_loadu_ps(statistics), index);
    }

    // arranged[e * stride + i] = x[8i + e]: an 8 x 8 transposition.
    static void arrange(const float* x, float* arranged, int64_t stride) {
        Float a[8], b[8];
#pragma GCC unroll 4
        for (int i = 0; i < 8; i += 2) {
            const Float first = load(x + 8 * i), second = load(x + 8 * i + 8);
            a[i] = _mm256_unpacklo_ps(first, second), a[i + 1] = _mm256_unpackhi_ps(first, second);
        }
#pragma GCC unroll 2
        for (int i = 0; i < 8; i += 4) {
            b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44), b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
            b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44), b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
        }
#pragma GCC unroll 4
        for (int e = 0; e < 4; ++e) {
            store(arranged + e * stride, _mm256_permute2f128_ps(b[e], b[e + 4], 0x20));
            store(arranged + (e + 4) * stride, _mm256_permute2f128_ps(b[e], b[e + 4], 0x31));
        }
    }

    // x[8i + e] = arranged[e * 8 + i]: the way back, the same transposition.
    static void restore(const float* arranged, float* x) { arrange(arranged, x, 8); }

   private:
    // The first element that each lane holds.
    static __m256i first_elements() { return _mm256_setr_epi32(0, 8, 16, 24, 32, 40, 48, 56); }
};

}  // namespace
}  // namespace halfbyte::cpu
