// Sums of an int8 product and its outliers, AVX2.
//
//   sums[m, n] = sum over k of x[m, k] * w[n, k]
//
// 16 consecutive k a step: both sides are widened to int16, vpmaddwd adds two products to an int32, exact for every code.
// (vpmaddubsw would do twice the work, but saturates, and its sign trick cannot negate -128.) 2 x 4 sums, 4 weight vectors and one
// x vector in registers. Reads 1 byte per weight. Limit: memory for a few rows of x, the vpmaddwd and vpaddd for many.
#if defined(__x86_64__)
#include <cstring>

#include "matmul_int8_panels.h"

namespace halfbyte::cpu {
namespace {

using Int32x8 = int32_t __attribute__((vector_size(32)));

__m256i widen(const int8_t* codes) { return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes))); }

__m256i widen_first(const int8_t* codes, int64_t count) {
    alignas(16) int8_t some[16] = {};
    std::memcpy(some, codes, static_cast<size_t>(count));
    return widen(some);
}

int32_t sum_lanes(__m256i v) {
    __m128i h = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(h, _mm_shuffle_epi32(h, 0xb1)));
}

struct Kernel {
    static constexpr int kBlock = 2;
    static constexpr int kStrip = 4;

    static int32_t first_sum(const int8_t*, int64_t) { return 0; }

    template <int M, int N, int F>
    static void add(const Int8Tile& panel, const int8_t* next, int32_t* sums) {
        Int32x8 sum[M][N] = {};
        const auto step = [&](int64_t k, const auto& widen_weights) {
            fetch<F>(next, panel.ldw, k);
            __m256i x[M];
#pragma GCC unroll 4
            for (int m = 0; m < M; ++m) x[m] = widen(panel.x + m * panel.ldx + k);
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) {
                const __m256i w = widen_weights(panel.w + n * panel.ldw + k);
#pragma GCC unroll 4
                for (int m = 0; m < M; ++m) sum[m][n] += (Int32x8)_mm256_madd_epi16(x[m], w);
            }
        };
        const int64_t rest = panel.K % 16;
        for (int64_t k = 0; k < panel.K - rest; k += 16) step(k, [](const int8_t* w) { return widen(w); });
        if (rest > 0) step(panel.K - rest, [rest](const int8_t* w) { return widen_first(w, rest); });
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sums[m * panel.ldsums + n] += sum_lanes((__m256i)sum[m][n]);
    }
};

// 48 columns of M rows of sums stay in registers.
template <int M>
void add_outlier_rows(const float* x, const float* w, int64_t count, float* sums) {
    constexpr int kVectors = kInt8TileN / 8;
    __m256 sum[M][kVectors];
    for (int m = 0; m < M; ++m)
        for (int v = 0; v < kVectors; ++v) sum[m][v] = _mm256_loadu_ps(sums + m * kInt8TileN + v * 8);
    for (int64_t c = 0; c < count; ++c) {
        for (int v = 0; v < kVectors; ++v) {
            const __m256 codes = _mm256_loadu_ps(w + c * kInt8TileN + v * 8);
            for (int m = 0; m < M; ++m) sum[m][v] = _mm256_fmadd_ps(_mm256_set1_ps(x[m * count + c]), codes, sum[m][v]);
        }
    }
    for (int m = 0; m < M; ++m)
        for (int v = 0; v < kVectors; ++v) _mm256_storeu_ps(sums + m * kInt8TileN + v * 8, sum[m][v]);
}

}  // namespace

void dot_int8_avx2(const Int8Tile& tile, int32_t* sums) { walk_panels<Kernel>(tile, sums); }

void add_outliers_avx2(const float* x, const float* w, int64_t M, int64_t count, float* sums) {
    int64_t m = 0;
    for (; m + 2 <= M; m += 2) add_outlier_rows<2>(x + m * count, w, count, sums + m * kInt8TileN);
    for (; m < M; ++m) add_outlier_rows<1>(x + m * count, w, count, sums + m * kInt8TileN);
}

}  // namespace halfbyte::cpu
#endif
