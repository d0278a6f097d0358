// The sixteen values that the codes of one block stand for, rounded to a 16-bit type, in eight registers:
//
//   value(code) = round(table[code] * statistic)     one float32 product, one rounding: what halfbyte_dequantize_4bit writes
//
// Bytes are looked up by permutes, four codes at a time: the nibbles of a word are the selectors, their top bits choose between the
// two halves of a table. No lookup goes through shared memory, whose every cycle the tensor-core products need. Per code: 2.6
// permutes and logic, and 2 more operations to make a table that serves sixteen.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/element.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/weights_4bit.cuh"

namespace halfbyte::cuda {

template <class T>
struct ScaledTable {
    uint32_t low[4], high[4];  // bytes of the values of codes 4i to 4i + 3

    __device__ __forceinline__ ScaledTable(const float (&table)[16], float statistic) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const float4 values = *reinterpret_cast<const float4*>(&table[4 * i]);
            const uint32_t a = pack_two(values.x * statistic, values.y * statistic, T{});
            const uint32_t b = pack_two(values.z * statistic, values.w * statistic, T{});
            low[i] = ptx::prmt(a, b, 0x6420);
            high[i] = ptx::prmt(a, b, 0x7531);
        }
    }

    // For codes that do not exist, whatever the table holds.
    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < 4; ++i) low[i] = high[i] = 0;
    }

    // A byte of each of four codes: `entries` are their lower bits, `tops` is 0xff where a code's top bit is set.
    __device__ __forceinline__ static uint32_t look_up(const uint32_t (&bytes)[4], uint32_t entries, uint32_t tops) {
        constexpr uint8_t kChoose = (0xf0 & ~0xaa) | (0xcc & 0xaa);
        return ptx::lop3<kChoose>(ptx::prmt(bytes[0], bytes[1], entries), ptx::prmt(bytes[2], bytes[3], entries), tops);
    }

    // The eight values of a word of codes, in order, as pairs.
    __device__ __forceinline__ void get(uint32_t (&pairs)[8], int first, uint32_t word) const {
        // A permute spreads the sign of a byte; shifted, the top bits of the low nibbles are signs too.
        const uint32_t entries = word & 0x77777777u, shifted = word << 4;
#pragma unroll
        for (int i = 0; i < 2; ++i) {  // four codes; of two, the first is the high nibble
            const uint32_t tops = ptx::prmt(word, shifted, i == 0 ? 0x9d8c : 0xbfae);
            const uint32_t lows = look_up(low, entries >> (16 * i), tops), highs = look_up(high, entries >> (16 * i), tops);
            pairs[first + 2 * i] = ptx::prmt(lows, highs, 0x4051);
            pairs[first + 2 * i + 1] = ptx::prmt(lows, highs, 0x6273);
        }
    }
};

// Sixteen codes of one block, and what they are multiplied with.
struct SixteenCodes {
    uint2 words;
    float statistic;

    // Their values, as pairs; zeros if they do not exist. `table` is aligned to 16 bytes.
    template <class T>
    __device__ __forceinline__ void decode(uint32_t (&pairs)[8], const float (&table)[16], bool exist, T) const {
        ScaledTable<T> values(table, statistic);
        if (!exist) values.clear();
        values.get(pairs, 0, words.x);
        values.get(pairs, 4, words.y);
    }
};

// Run r of `Runs` begins at element(r), a multiple of 16; nothing is loaded where exists(r) is false. Statistics come after all
// codes, and what nested ones take in a row is taken for all runs at once. All loads are coherent: the kernel that loads overlaps
// the one before it, whose result the weight may be.
template <int Runs, class Element, class Exists>
__device__ __forceinline__ void load_runs(SixteenCodes (&runs)[Runs], const Weight4Bit& weight, const Element& element,
                                          const Exists& exists) {
#pragma unroll
    for (int r = 0; r < Runs; ++r) {
        runs[r] = {};
        if (exists(r)) runs[r].words = ptx::load_coherent_streaming(reinterpret_cast<const uint2*>(weight.packed + element(r) / 2));
    }
    if (weight.is_nested) {
#pragma unroll
        for (int r = 0; r < Runs; ++r)
            if (exists(r)) runs[r].statistic = absmax_at<true, true>(weight.statistics, element(r));
    } else {
#pragma unroll
        for (int r = 0; r < Runs; ++r)
            if (exists(r)) runs[r].statistic = absmax_at<false, true>(weight.statistics, element(r));
    }
}

}  // namespace halfbyte::cuda
