// A tile of dx = dy * W for int8 weights, AVX-512.
//
//   sums[m, k] += d[m, n] * w[n, k], n in order, one fused multiply-add each
//
// Lanes: four vectors hold 64 consecutive k of one weight row as float32, d is broadcast. Few rows of dx: the codes are converted
// in registers, four weight rows at a time, so that each is read in one stretch; limit: memory, 1 byte per weight. More rows: 64 x
// 64 codes are converted once into a panel of 16 KiB and used by all of them, 6 x 4 sums in registers; limit: the two fused
// multiply-adds per cycle.
#if defined(__x86_64__)
#include "matmul_int8_transposed.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

constexpr int64_t kFewRows = 4;
constexpr int64_t kRowsAtOnce = 4;
constexpr int kBlock = 6;
constexpr int64_t kColumns = 64;

constexpr __mmask64 kAll = ~__mmask64{0};

__mmask64 columns_from(const GradientTile& tile, int64_t k) {
    return tile.K - k >= kColumns ? kAll : (__mmask64{1} << (tile.K - k)) - 1;
}

// Vector v of 64 codes that have a bit each in `columns`.
__m512 convert(const int8_t* codes, int v, __mmask64 columns) {
    const __m128i some = _mm_maskz_loadu_epi8(static_cast<__mmask16>(columns >> (16 * v)), codes + 16 * v);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(some));
}

// 64 columns of M rows of sums, over N weight rows that `weights(n, v)` gives as vectors.
template <int M, class Weights>
void add_columns(const float* d, int64_t N, int64_t ldsums, float* sums, const Weights& weights) {
    __m512 sum[M][4];
#pragma GCC unroll 6
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) sum[m][v] = _mm512_loadu_ps(sums + m * ldsums + v * 16);
    for (int64_t n = 0; n < N; ++n) {
        __m512 w[4];
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) w[v] = weights(n, v);
#pragma GCC unroll 6
        for (int m = 0; m < M; ++m) {
            const __m512 factor = _mm512_set1_ps(d[m * kGradientTileN + n]);
#pragma GCC unroll 4
            for (int v = 0; v < 4; ++v) sum[m][v] = _mm512_fmadd_ps(factor, w[v], sum[m][v]);
        }
    }
#pragma GCC unroll 6
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) _mm512_storeu_ps(sums + m * ldsums + v * 16, sum[m][v]);
}

// The same for a number of rows known only at run time, M at most.
template <int M, class Weights>
void add_rows(int64_t rows, const float* d, int64_t N, int64_t ldsums, float* sums, const Weights& weights) {
    if constexpr (M > 1) {
        if (rows < M) return add_rows<M - 1>(rows, d, N, ldsums, sums, weights);
    }
    add_columns<M>(d, N, ldsums, sums, weights);
}

void add_in_registers(const GradientTile& tile, float* sums) {
    for (int64_t first = 0; first < tile.N; first += kRowsAtOnce) {
        const int64_t N = tile.N - first < kRowsAtOnce ? tile.N - first : kRowsAtOnce;
        const int8_t* codes = tile.w + first * tile.ldw;
        const int8_t* next = codes + kRowsAtOnce * tile.ldw;  // a line beyond the weight does no harm
        int64_t k = 0;
        for (; k + kColumns <= tile.K; k += kColumns) {
            add_rows<kFewRows>(tile.M, tile.d + first, N, tile.ldsums, sums + k, [&](int64_t n, int v) {
                if (v == 0) _mm_prefetch(reinterpret_cast<const char*>(next + n * tile.ldw + k), _MM_HINT_T1);
                return convert(codes + n * tile.ldw + k, v, kAll);
            });
        }
        if (k < tile.K)
            add_rows<kFewRows>(tile.M, tile.d + first, N, tile.ldsums, sums + k,
                               [&](int64_t n, int v) { return convert(codes + n * tile.ldw + k, v, columns_from(tile, k)); });
    }
}

void add_from_panel(const GradientTile& tile, float* sums) {
    alignas(64) float panel[kGradientTileN * kColumns];
    for (int64_t k = 0; k < tile.K; k += kColumns) {
        const __mmask64 columns = columns_from(tile, k);
        // Rows are far apart, so the processor does not see the next columns coming. A line beyond the weight does no harm.
        const int8_t* next = k + kColumns < tile.K ? tile.w + k + kColumns : tile.w + kGradientTileN * tile.ldw;
        for (int64_t n = 0; n < tile.N; ++n) {
            for (int v = 0; v < 4; ++v)
                _mm512_store_ps(panel + n * kColumns + v * 16, convert(tile.w + n * tile.ldw + k, v, columns));
            _mm_prefetch(reinterpret_cast<const char*>(next + n * tile.ldw), _MM_HINT_T1);
        }
        for (int64_t m = 0; m < tile.M; m += kBlock)
            add_rows<kBlock>(tile.M - m, tile.d + m * kGradientTileN, tile.N, tile.ldsums, sums + m * tile.ldsums + k,
                             [&](int64_t n, int v) { return _mm512_load_ps(panel + n * kColumns + v * 16); });
    }
}

}  // namespace

void add_gradient_int8_avx512(const GradientTile& tile, float* sums) {
    if (tile.M <= kFewRows) add_in_registers(tile, sums);
    else add_from_panel(tile, sums);
}

}  // namespace halfbyte::cpu
#endif
