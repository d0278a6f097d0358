// What the 4-bit products share: how a weight is read, element by element, and the products by the formula.
#pragma once

#include "activations.h"
#include "core/codebooks.h"
#include "core/formats.h"
#include "core/operations.h"

namespace halfbyte::cpu {

// The table of a weight: its own or the one of its quantization type.
inline const float* table_of(const halfbyte_weight_4bit& weight) {
    if (weight.codebook != nullptr) return static_cast<const float*>(weight.codebook);
    return weight.quant_type == HALFBYTE_QUANT_TYPE_FP4 ? kFp4.data() : kNf4.data();
}

// Code of flat element i: the high nibble of a byte comes first.
inline unsigned code_at(const halfbyte_weight_4bit& weight, int64_t i) {
    const unsigned byte = static_cast<const uint8_t*>(weight.packed)[i / 2];
    return i % 2 == 0 ? byte >> 4 : byte & 15u;
}

// The products straight from the formula, slow and obvious: the truth that the other paths are tested against.
//   dot_scalar: sum over k of x[k] * W[n, k]
//   transposed_dot_scalar: sum over i and n of dy_i[m, n] * W_i[n, k]
float dot_scalar(const halfbyte_weight_4bit& weight, int64_t n, DType dtype, const void* x);
float transposed_dot_scalar(const MatMul4BitTransposed& op, int64_t m, int64_t k);

}  // namespace halfbyte::cpu
