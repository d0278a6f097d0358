// Kernels of halfbyte_dequantize_blockwise, one per path. All give the same values.
#pragma once

#include "core/operations.h"

namespace halfbyte::cpu {

// `part` is a piece of the tensor that starts at a block: every block but the last is full. Its codebook is never null. A kernel
// runs on the calling thread.
namespace scalar {
void dequantize_blockwise(const DequantizeBlockwise& part);
}

}  // namespace halfbyte::cpu
