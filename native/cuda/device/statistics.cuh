// The statistics of a 4-bit weight, plain or nested, as kernels read them.
//
//   absmax(b) = absmax[b]                                                                              plain
//             = nested_codebook[absmax[b]] * nested_absmax[b / nested_blocksize] + nested_offset[0]    nested, two roundings
#pragma once

#include <cuda_runtime.h>

#include <bit>
#include <cstdint>

#include "core/formats.h"
#include "cuda/device/ptx.cuh"

namespace halfbyte::cuda {

struct Statistics {
    const void* absmax;  // float [blocks], or uint8 [blocks] if nested
    const float* nested_absmax;
    const float* nested_codebook;  // [256]
    const float* nested_offset;    // [1]
    int shift;                     // log2 of the block size: block sizes are powers of two, and a shift is cheaper than a division
    int nested_shift;

    Statistics() = default;  // for arrays of them
    explicit Statistics(const halfbyte_weight_4bit& weight)
        : absmax(weight.absmax),
          nested_absmax(static_cast<const float*>(weight.nested_absmax)),
          nested_codebook(static_cast<const float*>(weight.nested_codebook)),
          nested_offset(static_cast<const float*>(weight.nested_offset)),
          shift(std::countr_zero(static_cast<uint64_t>(weight.blocksize))),
          nested_shift(is_nested(weight) ? std::countr_zero(static_cast<uint64_t>(weight.nested_blocksize)) : 0) {}
};

// The statistic of the block that holds element i. Nested is decided at compile time: the branch would stand in the hottest loops.
// Coherent: for kernels that overlap the one before them, which may have written statistics (ptx/memory.cuh).
template <bool Nested, bool Coherent = false>
__device__ __forceinline__ float absmax_at(const Statistics& statistics, int64_t i) {
    const auto load = [](const auto* p) {
        if constexpr (Coherent) return ptx::load_coherent(p);
        else return __ldg(p);
    };
    const int64_t block = i >> statistics.shift;
    if constexpr (Nested) {
        const float value = load(statistics.nested_codebook + load(static_cast<const uint8_t*>(statistics.absmax) + block));
        // Two roundings, as on every device; left to itself the compiler would fuse them into one.
        return __fadd_rn(__fmul_rn(value, load(statistics.nested_absmax + (block >> statistics.nested_shift))),
                         load(statistics.nested_offset));
    } else {
        return load(static_cast<const float*>(statistics.absmax) + block);
    }
}

}  // namespace halfbyte::cuda
