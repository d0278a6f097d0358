// 64 consecutive codes of a row of a 4-bit weight and their statistics: what a thread loads a stage ahead and decodes.
//
// Rows are whole words, so a word of eight codes lies in one block; a run lies in up to three, if blocks straddle rows.
//
// All loads are coherent: the kernel that loads overlaps the one before it, whose result the weight may be.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/scaled_table.cuh"
#include "cuda/device/weights_4bit.cuh"

namespace halfbyte::cuda {

inline constexpr int kRun = 64, kRunWords = kRun / 8, kRunBlocks = 3;

// How the runs of a weight lie: the same for all of a launch's threads.
struct RunLayout {
    int shift;  // log2 of the block size
    bool is_nested;
    bool is_wide;   // runs are read 16 bytes at a time
    bool is_whole;  // each lies in one block

    RunLayout() = default;
    __device__ __forceinline__ RunLayout(const Weight4Bit& weight, int64_t K)
        : shift(weight.statistics.shift),
          is_nested(weight.is_nested),
          is_wide(K % 32 == 0 && reinterpret_cast<uintptr_t>(weight.packed) % 16 == 0),
          is_whole(K % kRun == 0 && shift >= 6) {}
};

// What the decoders of a weight share.
struct DecoderTables {
    alignas(16) float table[16];
    float nested_offset;
    float nested_codebook[256];

    // By `threads` threads, at least 16; a barrier must follow.
    __device__ __forceinline__ void load(const Weights4Bit& weights, const Weight4Bit& weight, unsigned thread, unsigned threads) {
        if (thread < 16) table[thread] = table_value(weights, weight, thread);
        if (!weight.is_nested) return;
        if (thread == 0) nested_offset = *weight.statistics.nested_offset;
#pragma unroll 1
        for (unsigned i = thread; i < 256; i += threads) nested_codebook[i] = weight.statistics.nested_codebook[i];
    }
};

struct CodeRun {
    uint32_t words[kRunWords]{};
    uint32_t absmax[kRunBlocks]{};  // as they lie in memory: the bits of a float, or a byte
    float nested_absmax[kRunBlocks]{};
    int count = 0;   // of codes that exist; those after are any
    int offset = 0;  // of the first in its block

    // `codes` codes from element `first`, a multiple of 8, on, which is the byte at `from`.
    __device__ __forceinline__ void load(const Statistics& statistics, RunLayout layout, const uint8_t* from, int64_t first,
                                         int codes) {
        count = codes;
        if (count <= 0) return;
        if (layout.is_wide) {
            // Two halves of one sector: the second is in the first-level cache.
#pragma unroll
            for (int i = 0; i < 2; ++i)
                if (32 * i < count) {
                    const uint4 four = ptx::load_coherent(reinterpret_cast<const uint4*>(from) + i);
                    words[4 * i] = four.x, words[4 * i + 1] = four.y, words[4 * i + 2] = four.z, words[4 * i + 3] = four.w;
                }
        } else {
#pragma unroll
            for (int i = 0; i < kRunWords; ++i)
                if (8 * i < count) words[i] = ptx::load_coherent(reinterpret_cast<const uint32_t*>(from) + i);
        }
        const int64_t block = first >> layout.shift;
        load_statistic(statistics, layout, 0, block);
        if (layout.is_whole) return;
        offset = static_cast<int>(first) & ((1 << layout.shift) - 1);
#pragma unroll
        for (int i = 1; i < kRunBlocks; ++i)
            if (i <= (offset + count - 1) >> layout.shift) load_statistic(statistics, layout, i, block + i);
    }

    // Calls store(i, 16 bytes) with the weights of each word.
    template <class T, bool IsWhole, class Store>
    __device__ __forceinline__ void decode(RunLayout layout, const DecoderTables& tables, const Store& store) const {
        ScaledTable<T> scaled(tables.table, statistic(0, layout, tables));
#pragma unroll
        for (int i = 0; i < kRunWords; ++i) {
            if constexpr (!IsWhole) {
                const int at = offset + 8 * i;
                if (i > 0 && (at & ((1 << layout.shift) - 1)) == 0)
                    scaled = ScaledTable<T>(tables.table, statistic(at >> layout.shift, layout, tables));
            }
            uint32_t pairs[8];
            scaled.get(pairs, 0, words[i]);
            store(i, make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]));
        }
    }

   private:
    __device__ __forceinline__ void load_statistic(const Statistics& statistics, RunLayout layout, int i, int64_t block) {
        if (layout.is_nested) {
            absmax[i] = ptx::load_coherent(static_cast<const uint8_t*>(statistics.absmax) + block);
            nested_absmax[i] = ptx::load_coherent(statistics.nested_absmax + (block >> statistics.nested_shift));
        } else {
            absmax[i] = ptx::load_coherent(static_cast<const uint32_t*>(statistics.absmax) + block);
        }
    }

    // The statistic of the i-th block. Two roundings where it is nested, as on every device.
    __device__ __forceinline__ float statistic(int i, RunLayout layout, const DecoderTables& tables) const {
        uint32_t bits = absmax[0];
        float nested = nested_absmax[0];
        if (i == 1) bits = absmax[1], nested = nested_absmax[1];
        if (i == 2) bits = absmax[2], nested = nested_absmax[2];
        if (!layout.is_nested) return __uint_as_float(bits);
        return __fadd_rn(__fmul_rn(tables.nested_codebook[bits & 255u], nested), tables.nested_offset);
    }
};

}  // namespace halfbyte::cuda
