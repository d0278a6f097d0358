// How an int8 tile is walked, the same on every AVX path: panels of K, strips of weight rows, blocks of x rows.
//
//   for each panel of K           so short that a strip of it stays in the first-level cache
//     for each strip of W rows    from memory the first time, then from the first-level cache
//       for each block of x rows  from the second-level cache
//         sums of the block += x block * W strip over the panel, in registers
//
// While a strip is in use, its first blocks fetch the next, a few rows each: the processor's own prefetch would start when that
// strip is first touched, too late for the arithmetic to hide it. With a single block the strips follow each other without a
// pause, and the processor does better alone. How many rows a block fetches is a template parameter: the branches of a loop over
// them would slow the arithmetic down.
//
// A path passes a Kernel of its own unnamed namespace, so that files of different instruction sets share no instance:
//   kBlock, kStrip     rows of x and of the weight at once
//   first_sum(x, K)    what the sums of a row of x start from: 0, or a correction that the instructions ask for
//   add<M, N, F>(panel, next, sums)  sums[m * ldsums + n] += sum over the panel, for M <= kBlock and N = kStrip or 1. The sums wrap
//                      around. Fetches the panel's columns of F rows from `next` on.
#pragma once

#include "matmul_int8.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

constexpr int64_t kPanel = 4096;

// Fetches column k of F rows; a line beyond the weight does no harm.
template <int F>
void fetch(const int8_t* rows, int64_t ld, int64_t k) {
#pragma GCC unroll 4
    for (int f = 0; f < F; ++f) _mm_prefetch(reinterpret_cast<const char*>(rows + f * ld + k), _MM_HINT_T1);
}

template <int N>
constexpr int kMostFetched = N == 1 ? 1 : 3;

template <class Kernel, int M, int N, int F = kMostFetched<N>>
void add_block(const Int8Tile& panel, const int8_t* next, int64_t fetched, int32_t* sums) {
    if constexpr (M > 1) {
        if (panel.M < M) return add_block<Kernel, M - 1, N>(panel, next, fetched, sums);
    }
    if constexpr (F > 0) {
        if (fetched < F) return add_block<Kernel, M, N, F - 1>(panel, next, fetched, sums);
    }
    Kernel::template add<M, N, F>(panel, next, sums);
}

template <class Kernel>
void walk_panels(const Int8Tile& tile, int32_t* sums) {
    for (int64_t m = 0; m < tile.M; ++m) {
        const int32_t first = Kernel::first_sum(tile.x + m * tile.ldx, tile.K);
        for (int64_t n = 0; n < tile.N; ++n) sums[m * tile.ldsums + n] = first;
    }
    const int64_t blocks = (tile.M + Kernel::kBlock - 1) / Kernel::kBlock;
    const int64_t panels = tile.M == 1 ? 1 : (tile.K + kPanel - 1) / kPanel;
    const int64_t length = (tile.K / 64 + panels) / panels * 64;  // of a panel; the last is the shortest
    for (int64_t k = 0; k < tile.K; k += length) {
        const int64_t K = tile.K - k < length ? tile.K - k : length;
        int64_t rows = blocks == 1 ? 1 : Kernel::kStrip;
        for (int64_t n = 0; n < tile.N; n += rows) {
            if (n + rows > tile.N) rows = 1;
            const int8_t* w = tile.w + n * tile.ldw + k;
            const int8_t* next = n + rows < tile.N ? w + rows * tile.ldw : tile.w + k + length;
            const int64_t share = panels == 1 && blocks == 1 ? 0 : (rows + blocks - 1) / blocks;
            for (int64_t b = 0; b < blocks; ++b) {
                const int64_t m = b * Kernel::kBlock;
                const Int8Tile panel = {tile.x + m * tile.ldx + k, tile.ldx, w, tile.ldw, tile.M - m, rows, K, tile.ldsums};
                const int64_t fetched = b * share < rows ? share : 0;
                int32_t* block_sums = sums + m * tile.ldsums + n;
                if (rows == 1) add_block<Kernel, Kernel::kBlock, 1>(panel, next, fetched, block_sums);
                else add_block<Kernel, Kernel::kBlock, Kernel::kStrip>(panel, next + b * share * tile.ldw, fetched, block_sums);
            }
        }
    }
}

}  // namespace
}  // namespace halfbyte::cpu
