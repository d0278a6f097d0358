// Sums of an int8 product, AVX-512 with VNNI.
//
//   sum over k of x[m, k] * w[n, k] = (sum over k of x[m, k] * (w[n, k] + 128)) - 128 * (sum over k of x[m, k])
//
// vpdpbusd multiplies unsigned by signed bytes and adds four products to an int32 without saturation. The weight takes the
// unsigned side: w + 128 is w with its top bit turned, exact for -128 too. The sums may wrap around on the way; the result fits.
//
// Lanes: one vector of a weight row and of an x row holds 64 consecutive k; the 16 int32 lanes of a sum hold k = 4 j to 4 j + 3
// modulo 64 and are added at the end of a panel. 4 x 6 sums, 6 weight vectors and one x vector fill the 32 registers: 24 vpdpbusd
// for 10 loads. Reads 1 byte per weight. Limit: memory for a few rows of x, the two vpdpbusd per cycle for many.
#if defined(__x86_64__)
#include "matmul_int8_panels.h"

namespace halfbyte::cpu {
namespace {

using Int32x16 = int32_t __attribute__((vector_size(64)));

// The sums of the lanes of four vectors.
__m128i sum_lanes(__m512i a, __m512i b, __m512i c, __m512i d) {
    const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    const __m512i abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

struct Kernel {
    static constexpr int kBlock = 4;
    static constexpr int kStrip = 6;

    // -128 * (sum over k of x[k])
    static int32_t first_sum(const int8_t* x, int64_t K) {
        const __m512i zero = _mm512_setzero_si512();
        __m512i sum = zero;
        for (int64_t k = 0; k < K; k += 64) sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(-128), _mm512_loadu_si512(x + k));
        return -_mm_cvtsi128_si32(sum_lanes(sum, zero, zero, zero));
    }

    template <int M, int N, int F>
    static void add(const Int8Tile& panel, const int8_t* next, int32_t* sums) {
        constexpr int kTurns = N == 1 ? 4 : 1;  // a single row takes turns on four sums: one would wait for its last addition
        const __m512i top_bit = _mm512_set1_epi8(-128);
        Int32x16 sum[M * N * kTurns + 3] = {};
        const auto step = [&](int64_t k, __mmask64 mask, int turn) {
            fetch<F>(next, panel.ldw, k);
            __m512i x[M];
#pragma GCC unroll 4
            for (int m = 0; m < M; ++m) x[m] = _mm512_loadu_si512(panel.x + m * panel.ldx + k);
#pragma GCC unroll 6
            for (int n = 0; n < N; ++n) {
                const __m512i w = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, panel.w + n * panel.ldw + k), top_bit);
#pragma GCC unroll 4
                for (int m = 0; m < M; ++m) {
                    Int32x16& s = sum[(turn * M + m) * N + n];
                    s = (Int32x16)_mm512_dpbusd_epi32((__m512i)s, w, x[m]);
                }
            }
        };
        int64_t k = 0;
        for (; k + 64 * kTurns <= panel.K; k += 64 * kTurns) {
#pragma GCC unroll 4
            for (int turn = 0; turn < kTurns; ++turn) step(k + 64 * turn, ~__mmask64{0}, turn);
        }
        for (; kTurns > 1 && k + 64 <= panel.K; k += 64) step(k, ~__mmask64{0}, 0);
        if (k < panel.K) step(k, (__mmask64{1} << (panel.K - k)) - 1, 0);
#pragma GCC unroll 16
        for (int i = M * N; i < M * N * kTurns; ++i) sum[i % (M * N)] += sum[i];

        alignas(16) uint32_t total[M * N + 3];
#pragma GCC unroll 6
        for (int i = 0; i < M * N; i += 4)
            _mm_store_si128(reinterpret_cast<__m128i*>(total + i),
                            sum_lanes((__m512i)sum[i], (__m512i)sum[i + 1], (__m512i)sum[i + 2], (__m512i)sum[i + 3]));
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 6
            for (int n = 0; n < N; ++n) {
                int32_t& s = sums[m * panel.ldsums + n];
                s = static_cast<int32_t>(static_cast<uint32_t>(s) + total[m * N + n]);
            }
    }
};

}  // namespace

void dot_int8_avx512_bf16(const Int8Tile& tile, int32_t* sums) { walk_panels<Kernel>(tile, sums); }

}  // namespace halfbyte::cpu
#endif
