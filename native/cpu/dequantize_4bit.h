// Kernels of halfbyte_dequantize_4bit, one per path. All give the same values.
#pragma once

#include "core/operations.h"

namespace halfbyte::cpu {

// Elements first to last - 1 of a weight; `first` starts a block.
struct Dequantize4BitPart {
    const halfbyte_weight_4bit* weight;
    const float* codebook;  // [16]: the weight's own or its quant type's
    void* output;           // of the whole weight
    DType dtype;
    bool streaming;  // the output is larger than the caches: write around them
    int64_t first;
    int64_t last;
};

// A kernel runs on the calling thread. The vector kernels take full blocks only; the entry gives a last block that is shorter to
// the reference.
namespace scalar {
void dequantize_4bit(const Dequantize4BitPart& part);
}
namespace avx2 {
void dequantize_4bit(const Dequantize4BitPart& part);
}
namespace avx512 {
void dequantize_4bit(const Dequantize4BitPart& part);
}

// What the vector kernels use for absmax_of (core/formats.h): a shift instead of a division, and in an anonymous namespace so that
// every path has its own copy.
namespace {

class Statistics {
   public:
    explicit Statistics(const halfbyte_weight_4bit& weight)
        : absmax_(weight.absmax),
          codebook_(static_cast<const float*>(weight.nested_codebook)),
          scales_(static_cast<const float*>(weight.nested_absmax)),
          offset_(scales_ == nullptr ? 0 : *static_cast<const float*>(weight.nested_offset)),
          shift_(scales_ == nullptr ? 0 : __builtin_ctzll(static_cast<unsigned long long>(weight.nested_blocksize))) {}

    float operator[](int64_t block) const {
        if (scales_ == nullptr) return static_cast<const float*>(absmax_)[block];
        const float value = codebook_[static_cast<const uint8_t*>(absmax_)[block]] * scales_[block >> shift_];
        return value + offset_;
    }

   private:
    const void* absmax_;
    const float* codebook_;
    const float* scales_;  // null: not nested
    float offset_;
    int shift_;
};

}  // namespace
}  // namespace halfbyte::cpu
