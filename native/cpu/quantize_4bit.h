// Kernels of halfbyte_quantize_4bit, one per path. All give the same codes and statistics.
#pragma once

#include "core/operations.h"

namespace halfbyte::cpu {

// `part` is a piece of the tensor that starts at a block. A kernel runs on the calling thread. The vector kernels take full blocks
// only; the entry gives a last block that is shorter to the reference.
namespace scalar {
void quantize_4bit(const Quantize4Bit& part);
}
namespace avx2 {
void quantize_4bit(const Quantize4Bit& part);
}
namespace avx512 {
void quantize_4bit(const Quantize4Bit& part);
}

// Every quant type as one question, which vectors can answer: how many thresholds are below t?
//   NF4, CUSTOM:  code = number of i with t > thresholds[i]
//   FP4:          code = magnitudes[number of i with |t| > thresholds[i]] + 8 * (t < 0)
// No threshold is below NaN, so NaN gets code 0 in both.
struct Encoding4Bit {
    bool signed_magnitude;  // FP4
    float thresholds[15];   // ascending; unused ones are infinite
    int32_t magnitudes[8];
};

Encoding4Bit encoding_of(const Quantize4Bit& op);

}  // namespace halfbyte::cpu
