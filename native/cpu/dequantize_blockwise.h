// Kernels of halfbyte_dequantize_blockwise, one per path. All give the same values.
#pragma once

#include "core/operations.h"

namespace halfbyte::cpu {

// Elements first to last - 1; `first` starts a block.
struct DequantizeBlockwisePart {
    const DequantizeBlockwise* op;
    const float* codebook;  // [256]: the operation's or the default
    bool streaming;         // the output is larger than the caches: write around them
    int64_t first;
    int64_t last;
};

// What the vector kernels take: a multiple of the block size and of this. The entry gives the rest to the reference.
inline constexpr int64_t kDequantizeBlockwiseUnit = 64;

// A kernel runs on the calling thread.
namespace scalar {
void dequantize_blockwise(const DequantizeBlockwisePart& part);
}
namespace avx2 {
void dequantize_blockwise(const DequantizeBlockwisePart& part);
}
namespace avx512 {
void dequantize_blockwise(const DequantizeBlockwisePart& part);
}
namespace avx512_bf16 {
void dequantize_blockwise(const DequantizeBlockwisePart& part);
}

}  // namespace halfbyte::cpu
