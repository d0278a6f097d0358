// The 256 values of an 8-bit format, on their way to the kernel that looks them up.
#pragma once

#include <cuda_runtime.h>

#include "core/codebooks.h"

namespace halfbyte::cuda {

struct Codebook256Source {
    float values[256];    // the signed dynamic map, as a kernel argument: nothing to allocate, nothing to copy before a call
    const float* custom;  // [256] on the device, and then `values` is not used

    explicit Codebook256Source(const float* codebook) : custom(codebook) {
        for (size_t i = 0; i < 256; ++i) values[i] = codebook == nullptr ? dynamic_signed()[i] : 0.0f;
    }
};

// 256 threads copy the table to shared memory; a barrier must follow. As a parameter of a kernel the source is __grid_constant__,
// else indexing it would copy it to the stack.
__device__ __forceinline__ void load_codebook(float (&table)[256], const Codebook256Source& source) {
    table[threadIdx.x] = source.custom != nullptr ? source.custom[threadIdx.x] : source.values[threadIdx.x];
}

}  // namespace halfbyte::cuda
