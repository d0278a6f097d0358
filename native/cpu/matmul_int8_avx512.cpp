// Sums of an int8 product and its outliers, AVX-512.
//
//   sums[m, n] = sum over k of x[m, k] * w[n, k]
//
// 32 consecutive k a step: both sides are widened to int16, vpmaddwd adds two products to an int32, exact for every code.
// 4 x 4 sums, 4 weight vectors and one x vector in registers. Reads 1 byte per weight. Limit: memory for a few rows of x, the
// 32 vpmaddwd and vpaddd of a step for many.
#if defined(__x86_64__)
#include "matmul_int8_panels.h"

namespace halfbyte::cpu {
namespace {

using Int32x16 = int32_t __attribute__((vector_size(64)));

__m512i widen(const int8_t* codes, __mmask32 mask) { return _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(mask, codes)); }

struct Kernel {
    static constexpr int kBlock = 4;
    static constexpr int kStrip = 4;

    static int32_t first_sum(const int8_t*, int64_t) { return 0; }

    template <int M, int N, int F>
    static void add(const Int8Tile& panel, const int8_t* next, int32_t* sums) {
        Int32x16 sum[M][N] = {};
        const auto step = [&](int64_t k, __mmask32 mask) {
            fetch<F>(next, panel.ldw, k);
            __m512i x[M];
#pragma GCC unroll 4
            for (int m = 0; m < M; ++m) x[m] = widen(panel.x + m * panel.ldx + k, ~__mmask32{0});
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) {
                const __m512i w = widen(panel.w + n * panel.ldw + k, mask);
#pragma GCC unroll 4
                for (int m = 0; m < M; ++m) sum[m][n] += (Int32x16)_mm512_madd_epi16(x[m], w);
            }
        };
        const int64_t rest = panel.K % 32;
        for (int64_t k = 0; k < panel.K - rest; k += 32) step(k, ~__mmask32{0});
        if (rest > 0) step(panel.K - rest, (__mmask32{1} << rest) - 1);
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sums[m * panel.ldsums + n] += _mm512_reduce_add_epi32((__m512i)sum[m][n]);
    }
};

// 48 columns of N rows of sums stay in registers.
template <int M>
void add_outlier_rows(const float* x, const float* w, int64_t count, float* sums) {
    constexpr int kVectors = kInt8TileN / 16;
    __m512 sum[M][kVectors];
    for (int m = 0; m < M; ++m)
        for (int v = 0; v < kVectors; ++v) sum[m][v] = _mm512_loadu_ps(sums + m * kInt8TileN + v * 16);
    for (int64_t c = 0; c < count; ++c) {
        for (int v = 0; v < kVectors; ++v) {
            const __m512 codes = _mm512_loadu_ps(w + c * kInt8TileN + v * 16);
            for (int m = 0; m < M; ++m) sum[m][v] = _mm512_fmadd_ps(_mm512_set1_ps(x[m * count + c]), codes, sum[m][v]);
        }
    }
    for (int m = 0; m < M; ++m)
        for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(sums + m * kInt8TileN + v * 16, sum[m][v]);
}

}  // namespace

void dot_int8_avx512(const Int8Tile& tile, int32_t* sums) { walk_panels<Kernel>(tile, sums); }

void add_outliers_avx512(const float* x, const float* w, int64_t M, int64_t count, float* sums) {
    int64_t m = 0;
    for (; m + 4 <= M; m += 4) add_outlier_rows<4>(x + m * count, w, count, sums + m * kInt8TileN);
    for (; m < M; ++m) add_outlier_rows<1>(x + m * count, w, count, sums + m * kInt8TileN);
}

}  // namespace halfbyte::cpu
#endif
