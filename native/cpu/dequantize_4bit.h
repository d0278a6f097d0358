// Kernels of halfbyte_dequantize_4bit, one per path. All give the same values.
#pragma once

#include "core/operations.h"
#include "features.h"

namespace halfbyte::cpu {

// Elements first to last - 1 of a weight.
struct Dequantize4BitPart {
    const halfbyte_weight_4bit* weight;
    const float* codebook;  // [16]: the weight's own or its quant type's
    void* output;           // where element `first` goes
    DType dtype;
    bool streaming;  // the output is larger than the caches: write around them
    int64_t first;
    int64_t last;
};

// The values of any part, on the calling thread: the path's kernel, and the reference for what its runs leave at either end.
void dequantize_4bit(Path path, const Dequantize4BitPart& part);

// The table of a weight: its own, or its quant type's.
const float* codebook_of(const halfbyte_weight_4bit& weight);

// Elements per unit of work: enough that starting a thread pays.
inline constexpr int64_t kDequantize4BitGrain = 32768;

// An output of this many bytes leaves the caches before anyone reads it back.
inline constexpr int64_t kDequantize4BitStreaming = 32 << 20;

// What the vector kernels decode at a time. They take parts that start and end at multiples of it, which no block divides.
inline constexpr int64_t kDequantize4BitRun = 32;

// A kernel runs on the calling thread.
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

// Where element 0 would go, were it of the part: one counter then serves codes and outputs, which is worth a tenth of the time.
inline char* origin_of(const Dequantize4BitPart& part, int64_t element_size) {
    return reinterpret_cast<char*>(reinterpret_cast<uintptr_t>(part.output) - static_cast<uintptr_t>(part.first * element_size));
}

// Calls body(first, last) for every block of a part; those at its ends may be cut.
template <class Body>
inline void for_each_block(const Dequantize4BitPart& part, const Body& body) {
    const int64_t blocksize = part.weight->blocksize, rest = part.first % blocksize;
    int64_t first = part.first;
    if (rest != 0) {
        const int64_t left = blocksize - rest, last = left < part.last - first ? first + left : part.last;
        body(first, last);
        first = last;
    }
    for (; first + blocksize <= part.last; first += blocksize) body(first, first + blocksize);
    if (first < part.last) body(first, part.last);
}

}  // namespace
}  // namespace halfbyte::cpu
