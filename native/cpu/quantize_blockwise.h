// Kernels of halfbyte_quantize_blockwise, one per path. All give the same codes and statistics.
#pragma once

#include "core/operations.h"
#include "features.h"

namespace halfbyte::cpu {

using QuantizeBlockwiseKernel = void (*)(const QuantizeBlockwise& part);

// Double quantization runs the same kernels on statistics.
QuantizeBlockwiseKernel quantize_blockwise_kernel(Path path);

// `part` is a piece of the tensor that starts at a block: every block but the last is full. Its codebook is never null. A kernel
// runs on the calling thread.
namespace scalar {
void quantize_blockwise(const QuantizeBlockwise& part);
}

}  // namespace halfbyte::cpu
