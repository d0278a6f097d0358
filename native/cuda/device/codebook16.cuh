// The 16 values of a 4-bit format, on their way to the kernel that looks them up.
#pragma once

#include <cuda_runtime.h>

#include "core/codebooks.h"
#include "core/operations.h"

namespace halfbyte::cuda {

struct Codebook16Source {
    float values[16];     // the format's own table, as a kernel argument: it costs no memory traffic
    const float* custom;  // [16] on the device, and then `values` is not used

    explicit Codebook16Source(const halfbyte_weight_4bit& weight) : custom(static_cast<const float*>(weight.codebook)) {
        const auto& table = weight.quant_type == HALFBYTE_QUANT_TYPE_FP4 ? kFp4 : kNf4;
        for (int i = 0; i < 16; ++i) values[i] = table[static_cast<size_t>(i)];
    }
};

// Threads 0 to 15 copy the table to shared memory; a barrier must follow. As a parameter of a kernel the source is
// __grid_constant__, else indexing it would copy it to the stack. Sixteen words lie in sixteen banks, and lanes that look up the
// same word share it, so no lookup ever conflicts.
__device__ __forceinline__ void load_codebook(float (&table)[16], const Codebook16Source& source) {
    if (threadIdx.x < 16) table[threadIdx.x] = source.custom != nullptr ? source.custom[threadIdx.x] : source.values[threadIdx.x];
}

}  // namespace halfbyte::cuda
