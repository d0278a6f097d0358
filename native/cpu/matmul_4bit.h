// The kernels of y = x * W^T for 4-bit W, one set per path, and what they agree on.
#pragma once

#include "core/operations.h"
#include "matmul_4bit_weight.h"

namespace halfbyte::cpu {

// Activations are laid out for the kernels once per call, in chunks of kChunk along K: chunk c starts at element c * kChunk * M and
// holds the M rows' parts one after another, as float32, each part padded with zeros to whole groups. A group is what one vector
// of packed codes holds: 8 codes in each of L 32-bit lanes. Inside it, element 8i + e of the row sits at e * L + i, where code e of
// lane i meets it.
inline constexpr int64_t kChunk = 1024;

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
    int64_t group;                                                    // elements in a group
    void (*arrange)(const float* x, int64_t count, float* arranged);  // lays out `count` elements and pads
    void (*rows)(const Part4Bit& part);                               // M up to kRowsMaxM, K a multiple of 8
    void (*panel)(const Part4Bit& part);                              // any M and K
};
inline constexpr int64_t kRowsMaxM = 4;

extern const Kernels4Bit kKernels4BitAvx2;
extern const Kernels4Bit kKernels4BitAvx512;

// One element of the product by its formula, slow and obvious: the truth that the other paths are tested against.
float dot_scalar(const Weight4Bit& weight, int64_t n, DType dtype, const void* x);

}  // namespace halfbyte::cpu
