// The 4-bit weights of one launch, as a kernel argument: a product multiplies by several weights of any format at once.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/codebooks.h"
#include "core/operations.h"
#include "cuda/device/statistics.cuh"

namespace halfbyte::cuda {

struct Weight4Bit {
    const uint8_t* packed;
    Statistics statistics;
    const float* custom;  // the codebook's address on the device, or null: the table of the format
    int64_t N;
    int64_t first;  // where this weight begins among the tiles of the launch
    bool is_nested, is_fp4;
    bool is_aligned;  // every eight codes from the start of a row on are one aligned word, of one block
};

inline constexpr int kWeightsPerLaunch = 8;

struct Weights4Bit {
    int32_t count = 0;
    int64_t K = 0;
    Weight4Bit at[kWeightsPerLaunch]{};
    float nf4[16], fp4[16];  // as kernel arguments they cost no memory traffic

    explicit Weights4Bit(int64_t k) : K(k) {
        for (size_t i = 0; i < 16; ++i) nf4[i] = kNf4[i], fp4[i] = kFp4[i];
    }

    void add(const halfbyte_weight_4bit& weight, int64_t first) {
        const auto* packed = static_cast<const uint8_t*>(weight.packed);
        at[count++] = {packed,
                       Statistics(weight),
                       static_cast<const float*>(weight.codebook),
                       weight.N,
                       first,
                       halfbyte::is_nested(weight),
                       weight.quant_type == HALFBYTE_QUANT_TYPE_FP4,
                       K % 8 == 0 && reinterpret_cast<uintptr_t>(packed) % 4 == 0};
    }
};

// Which weight a tile belongs to. Works for Weights4Bit and for every list with `count` and `at[].first`.
template <class Weights>
__device__ __forceinline__ int weight_of_tile(const Weights& weights, int64_t tile) {
    int i = 0;
    while (i + 1 < weights.count && tile >= weights.at[i + 1].first) ++i;
    return i;
}

__device__ __forceinline__ float table_value(const Weights4Bit& weights, const Weight4Bit& weight, unsigned code) {
    return weight.custom != nullptr ? weight.custom[code] : weight.is_fp4 ? weights.fp4[code] : weights.nf4[code];
}

// Threads 0 to 15 copy the table of a weight to shared memory; a barrier must follow.
__device__ __forceinline__ void load_table(float (&table)[16], const Weights4Bit& weights, const Weight4Bit& weight) {
    if (threadIdx.x < 16) table[threadIdx.x] = table_value(weights, weight, threadIdx.x);
}

// The statistic of the block of element i. The branch is the same for all threads of a block.
template <bool Coherent = false>
__device__ __forceinline__ float absmax_of_element(const Weight4Bit& weight, int64_t i) {
    return weight.is_nested ? absmax_at<true, Coherent>(weight.statistics, i) : absmax_at<false, Coherent>(weight.statistics, i);
}

// The statistic, to be multiplied with a sum of table values and activations rather than with each value. If it is infinite, so
// are the values of the block, apart from the zeros, which it makes NaN: so is the sum then, as good as always.
__device__ __forceinline__ float absmax_of_sum(const Weight4Bit& weight, int64_t i) {
    const float absmax = absmax_of_element(weight, i);
    return absmax + (absmax - absmax);
}

__device__ __forceinline__ unsigned code_of(const Weight4Bit& weight, int64_t i) {
    return static_cast<unsigned>(weight.packed[i >> 1]) >> ((i & 1) == 0 ? 4 : 0) & 15u;
}

// Element i of a word of eight codes: the first of two is the high nibble.
__device__ __forceinline__ unsigned code_in_word(uint32_t word, int i) { return word >> (i / 2 * 8 + (i % 2 == 0 ? 4 : 0)) & 15u; }

}  // namespace halfbyte::cuda
