// Blockwise 8-bit quantization of pieces of a tensor, and its kernels, one per path. All give the same codes and statistics.
#pragma once

#include "core/operations.h"
#include "features.h"

namespace halfbyte::cpu {

// The codes of a codebook as one question, which vectors can answer:
//   code = number of i with t > thresholds[i]
// The midpoint of an odd i belongs to the value above it; t >= m is t > the float before m. Ascending, 0 for NaN.
struct BlockwiseThresholds {
    float values[255];
};

// Quantizes pieces that start at a block, on the calling thread, with the best kernel of a path. Double quantization uses it too.
class BlockwiseQuantizer {
   public:
    BlockwiseQuantizer(Path path, const float* codebook);

    // `part.codebook` is ignored.
    void operator()(QuantizeBlockwise part) const;

   private:
    using Kernel = void (*)(const QuantizeBlockwise& part, const BlockwiseThresholds& thresholds);

    const float* codebook_;
    Kernel kernel_;  // null: the reference
    BlockwiseThresholds thresholds_;
};

// What the vector kernels take: a multiple of the block size and of this.
inline constexpr int64_t kBlockwiseUnit = 128;

namespace scalar {
void quantize_blockwise(const QuantizeBlockwise& part);
}
namespace avx2 {
void quantize_blockwise(const QuantizeBlockwise& part, const BlockwiseThresholds& thresholds);
}
namespace avx512 {
void quantize_blockwise(const QuantizeBlockwise& part, const BlockwiseThresholds& thresholds);
}

}  // namespace halfbyte::cpu
