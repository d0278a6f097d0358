// The kernels of dx = dy * W for 4-bit W, one set per path, and what they agree on.
#pragma once

#include "core/operations.h"
#include "matmul_4bit_weight.h"

namespace halfbyte::cpu {

// Columns [first, last) of a weight; `first` is a multiple of the group. dx[m, k] += sum over n of dy[n, m] * W[n, k].
struct TransposedPart4Bit {
    const Weight4Bit* weight;
    int64_t first, last;
    const float* dy;  // [N, M]: a row of the weight meets M gradients
    int64_t M;
    float* dx;  // [M, lddx], whole groups, each in the order of the codes: element 8i + e at e * L + i
    int64_t lddx;
};

// They compute every sum from its inputs alone, in an order that depends on N and nothing else.
struct TransposedKernels4Bit {
    int64_t group;                                      // 8L: what one vector of packed codes holds
    void (*restore)(const float* arranged, float* dx);  // one group of dx, back in the order of the elements
    void (*few_rows)(const TransposedPart4Bit& part);   // M up to kTransposedFewRows, K a multiple of 8
    void (*panel)(const TransposedPart4Bit& part);      // any M and K
};
inline constexpr int64_t kTransposedFewRows = 3;

extern const TransposedKernels4Bit kTransposedKernels4BitAvx2;
extern const TransposedKernels4Bit kTransposedKernels4BitAvx512;

// One element of the product by its formula, slow and obvious: the truth that the other paths are tested against.
float transposed_dot_scalar(const MatMul4BitTransposed& op, int64_t m, int64_t k);

}  // namespace halfbyte::cpu
