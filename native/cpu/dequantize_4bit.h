// Kernels of halfbyte_dequantize_4bit, one per path. All give the same values.
#pragma once

#include "core/operations.h"

namespace halfbyte::cpu {

// A piece of a 4-bit tensor that starts at a block: every block but the last is full. Statistics are float32 here; nested ones have
// been expanded.
struct Dequantize4BitPart {
    const uint8_t* packed;  // [(n+1)/2]
    const float* absmax;    // [ceil(n/blocksize)]
    const float* codebook;  // [16]
    int64_t n;
    int64_t blocksize;
    void* output;  // [n]
    DType dtype;
    bool streaming;  // the output is larger than the caches: write around them
};

// A kernel runs on the calling thread.
namespace scalar {
void dequantize_4bit(const Dequantize4BitPart& part);
}

}  // namespace halfbyte::cpu
