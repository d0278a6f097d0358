// The kernels of dx = sum over i of dy_i * W_i for 4-bit W_i, one set per path, and what they agree on.
#pragma once

#include "core/operations.h"
#include "matmul_4bit_weight.h"

namespace halfbyte::cpu {

// One element of the product by its formula, slow and obvious: the truth that the other paths are tested against.
float transposed_dot_scalar(const MatMul4BitTransposed& op, int64_t m, int64_t k);

}  // namespace halfbyte::cpu
