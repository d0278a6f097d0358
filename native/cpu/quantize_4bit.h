// Kernels of halfbyte_quantize_4bit, one per path. All give the same codes and statistics.
#pragma once

#include "core/operations.h"

namespace halfbyte::cpu {

// `part` is a piece of the tensor that starts at a block: every block but the last is full, and only the tensor's last piece may
// have an odd number of elements. A kernel runs on the calling thread.
namespace scalar {
void quantize_4bit(const Quantize4Bit& part);
}

}  // namespace halfbyte::cpu
