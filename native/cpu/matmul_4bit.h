// The kernels of y = x * W^T for 4-bit W, one set per path, and what they agree on.
#pragma once

#include "core/operations.h"
#include "matmul_4bit_weight.h"

namespace halfbyte::cpu {

// Activations are laid out for the kernels once per call, as float32, in the order in which they are used.
//   Chunks of kChunk elements along K; chunk c begins at float c * kChunk * M.
//   In a chunk, sets of kSetRows rows of x (the last may have fewer); a set's vectors of L lanes are interleaved row by row.
//   In a row, groups of 8L elements, the last padded with zeros. Vector e of a group (e = 0 to 7) has element 8i + e in lane i: a
//   32-bit word of packed codes holds 8 elements, and code e of all words of a vector of codes meets vector e.
inline constexpr int64_t kChunk = 1024;
inline constexpr int64_t kSetRows = 4;

// Rows [first, last) of a weight times M rows of activations: sums[(n - first) * M + m].
struct Part4Bit {
    const Weight4Bit* weight;
    int64_t first, last;
    const float* x;  // arranged
    int64_t M;
    float* sums;
};

// They compute every sum from its inputs alone, in an order that depends on K and nothing else.
struct Kernels4Bit {
    int64_t group;         // 8L
    int64_t few_rows_max;  // up to kSetRows
    // Lays out `count` elements of one row; its vectors are `stride` floats apart.
    void (*arrange)(const float* x, int64_t count, float* arranged, int64_t stride);
    void (*one_row)(const Part4Bit& part);   // M = 1, K a multiple of 8
    void (*few_rows)(const Part4Bit& part);  // M = 2 to few_rows_max, K a multiple of 8
    void (*panel)(const Part4Bit& part);     // any M and K
};

extern const Kernels4Bit kKernels4BitAvx2;
extern const Kernels4Bit kKernels4BitAvx512;

// One element of the product by its formula, slow and obvious: the truth that the other paths are tested against.
float dot_scalar(const Weight4Bit& weight, int64_t n, DType dtype, const void* x);

}  // namespace halfbyte::cpu
