// A tile of dx = dy * W for int8 weights, AVX2.
//
//   sums[m, k] += d[m, n] * w[n, k], n in order, one fused multiply-add each
//
// Lanes: two vectors hold 16 consecutive k of one weight row as float32, d is broadcast. Few rows of dx: the codes are converted in
// registers, four weight rows at a time, so that each is read in one stretch; limit: memory, 1 byte per weight. More rows: 64 x 16
// codes are converted once into a panel of 4 KiB and used by all of them, 6 x 2 sums in registers; limit: the fused multiply-adds.
#if defined(__x86_64__)
#include <cstring>

#include "matmul_int8_transposed.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

constexpr int64_t kFewRows = 4;
constexpr int64_t kRowsAtOnce = 4;
constexpr int kBlock = 6;
constexpr int64_t kColumns = 16;

// 8 codes.
__m256 convert(const int8_t* codes) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes))));
}

// 16 columns of M rows of sums, over N weight rows that `weights(n, v)` gives as vectors.
template <int M, class Weights>
void add_columns(const float* d, int64_t N, int64_t ldsums, float* sums, const Weights& weights) {
    __m256 sum[M][2];
#pragma GCC unroll 6
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
        for (int v = 0; v < 2; ++v) sum[m][v] = _mm256_loadu_ps(sums + m * ldsums + v * 8);
    for (int64_t n = 0; n < N; ++n) {
        const __m256 w[2] = {weights(n, 0), weights(n, 1)};
#pragma GCC unroll 6
        for (int m = 0; m < M; ++m) {
            const __m256 factor = _mm256_broadcast_ss(d + m * kGradientTileN + n);
#pragma GCC unroll 2
            for (int v = 0; v < 2; ++v) sum[m][v] = _mm256_fmadd_ps(factor, w[v], sum[m][v]);
        }
    }
#pragma GCC unroll 6
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
        for (int v = 0; v < 2; ++v) _mm256_storeu_ps(sums + m * ldsums + v * 8, sum[m][v]);
}

// The same for a number of rows known only at run time, M at most.
template <int M, class Weights>
void add_rows(int64_t rows, const float* d, int64_t N, int64_t ldsums, float* sums, const Weights& weights) {
    if constexpr (M > 1) {
        if (rows < M) return add_rows<M - 1>(rows, d, N, ldsums, sums, weights);
    }
    add_columns<M>(d, N, ldsums, sums, weights);
}

void add_in_registers(const GradientTile& tile, int64_t K, float* sums) {
    for (int64_t first = 0; first < tile.N; first += kRowsAtOnce) {
        const int64_t N = tile.N - first < kRowsAtOnce ? tile.N - first : kRowsAtOnce;
        const int8_t* codes = tile.w + first * tile.ldw;
        const int8_t* next = codes + kRowsAtOnce * tile.ldw;  // a line beyond the weight does no harm
        for (int64_t k = 0; k < K; k += kColumns) {
            add_rows<kFewRows>(tile.M, tile.d + first, N, tile.ldsums, sums + k, [&](int64_t n, int v) {
                if (v == 0) _mm_prefetch(reinterpret_cast<const char*>(next + n * tile.ldw + k), _MM_HINT_T1);
                return convert(codes + n * tile.ldw + k + v * 8);
            });
        }
    }
}

// Columns k to k + count - 1 of all rows of sums.
void add_from_panel(const GradientTile& tile, int64_t k, int64_t count, float* sums) {
    alignas(32) float panel[kGradientTileN * kColumns];
    // Rows are far apart, so the processor does not see the next line of columns coming. A line beyond the weight does no harm.
    const int64_t line = k % 64 != 0 ? -1 : k + 64 < tile.K ? k + 64 : kGradientTileN * tile.ldw;
    for (int64_t n = 0; n < tile.N; ++n) {
        const int8_t* codes = tile.w + n * tile.ldw + k;
        alignas(16) int8_t some[kColumns] = {};
        if (count < kColumns) codes = static_cast<const int8_t*>(std::memcpy(some, codes, static_cast<size_t>(count)));
        for (int v = 0; v < 2; ++v) _mm256_store_ps(panel + n * kColumns + v * 8, convert(codes + v * 8));
        if (line >= 0) _mm_prefetch(reinterpret_cast<const char*>(tile.w + n * tile.ldw + line), _MM_HINT_T1);
    }
    for (int64_t m = 0; m < tile.M; m += kBlock)
        add_rows<kBlock>(tile.M - m, tile.d + m * kGradientTileN, tile.N, tile.ldsums, sums + m * tile.ldsums + k,
                         [&](int64_t n, int v) { return _mm256_load_ps(panel + n * kColumns + v * 8); });
}

}  // namespace

void add_gradient_int8_avx2(const GradientTile& tile, float* sums) {
    const int64_t whole = tile.K - tile.K % kColumns;
    if (tile.M <= kFewRows) add_in_registers(tile, whole, sums);
    else
        for (int64_t k = 0; k < whole; k += kColumns) add_from_panel(tile, k, kColumns, sums);
    if (whole < tile.K) add_from_panel(tile, whole, tile.K - whole, sums);
}

}  // namespace halfbyte::cpu
#endif
