// A stage of a 4-bit weight in shared memory: 64 codes of each of 128 rows and their statistics, filled by 128 threads and
// read as operand A of wgmma.
//
// A row is 32 bytes in two pieces of 16, which change places in rows 4 to 7 of each eight: the eight rows that a warp reads at once
// then touch all 32 banks once. Statistics are one per 16 codes, whatever the block size is and wherever blocks begin.
//
// Filling takes two turns: start() sends codes on their way and loads statistics, finish() brings the statistics to shared memory
// when the codes have arrived there.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/element.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/weights_4bit.cuh"

namespace halfbyte::cuda {

inline constexpr int kCodeRows = 128, kCodeStep = 64, kCodeSlice = 16;

struct CodeStage {
    alignas(16) uint8_t codes[kCodeRows][kCodeStep / 2];
    float statistics[kCodeRows][kCodeStep / kCodeSlice];

    // Where 16 bytes of a row are.
    __device__ __forceinline__ uint8_t* piece(int row, int i) { return &codes[row][(i ^ (row >> 2 & 1)) * 16]; }
    __device__ __forceinline__ const uint8_t* piece(int row, int i) const { return &codes[row][(i ^ (row >> 2 & 1)) * 16]; }
};

// ---- filling -------------------------------------------------------------------------------------------------------------------

// The statistics of 64 codes of a row on their way from global memory. What a nested one is made of is loaded at once, so that it
// costs one latency and not two.
struct StepStatistics {
    float factors[4];  // absmax, or what the nested codebook's value is multiplied with
    uint32_t codes[4];

    __device__ __forceinline__ void load(const Statistics& from, bool is_nested, int i, int64_t element) {
        const int64_t block = element >> from.shift;
        if (is_nested) {
            codes[i] = __ldg(static_cast<const uint8_t*>(from.absmax) + block);
            factors[i] = __ldg(from.nested_absmax + (block >> from.nested_shift));
        } else {
            factors[i] = __ldg(static_cast<const float*>(from.absmax) + block);
        }
    }
    __device__ __forceinline__ float get(const Statistics& from, bool is_nested, int i) const {
        if (!is_nested) return factors[i];
        return __fadd_rn(__fmul_rn(__ldg(from.nested_codebook + codes[i]), factors[i]), __ldg(from.nested_offset));
    }
};

// One of 128 threads that fill the stages of a tile, each one row's statistics and some pieces of codes. Rows beyond N repeat the
// last one; what lies beyond K is whatever it is.
class CodeFiller {
   public:
    // `first`: where the tile begins among the weight's rows.
    __device__ __forceinline__ CodeFiller(const Weight4Bit& weight, int64_t first, int64_t K)
        : weight_(weight),
          K_(K),
          element_(min(first + thread(), weight.N - 1) * K),
          first_(first),
          has_pieces_(K % 32 == 0 && reinterpret_cast<uintptr_t>(weight.packed) % 16 == 0),
          has_one_statistic_(weight.statistics.shift >= 6 && K % kCodeStep == 0) {}

    // Towards the second-level cache: memory is too far away for what start() has under way.
    __device__ __forceinline__ void prefetch(int64_t k) const {
        if (k >= K_) return;
        const int64_t block = (element_ + k) >> weight_.statistics.shift;
        ptx::prefetch_l2(weight_.packed + (element_ + k) / 2);
        ptx::prefetch_l2(static_cast<const uint8_t*>(weight_.statistics.absmax) + (weight_.is_nested ? block : 4 * block));
    }

    // Sends codes on their way, as a group of copy_async, and loads the statistics that finish() will want.
    __device__ __forceinline__ StepStatistics start(CodeStage& stage, int64_t k) const {
        if (has_pieces_) {
#pragma unroll
            for (int i = 0; i < 2; ++i) copy<16>(stage, k, thread() / 2 + 64 * i, thread() % 2);
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) copy<8>(stage, k, thread(), i);
        }
        ptx::copy_async_commit();
        StepStatistics statistics{};
        if (has_one_statistic_) {
            statistics.load(weight_.statistics, weight_.is_nested, 0, element_ + k);
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i)
                statistics.load(weight_.statistics, weight_.is_nested, i, element_ + min(k + i * kCodeSlice, K_ - kCodeSlice));
        }
        return statistics;
    }

    __device__ __forceinline__ void finish(CodeStage& stage, const StepStatistics& statistics) const {
        float4 v;
        v.x = v.y = v.z = v.w = statistics.get(weight_.statistics, weight_.is_nested, 0);
        if (!has_one_statistic_) {
            v.y = statistics.get(weight_.statistics, weight_.is_nested, 1);
            v.z = statistics.get(weight_.statistics, weight_.is_nested, 2);
            v.w = statistics.get(weight_.statistics, weight_.is_nested, 3);
        }
        *reinterpret_cast<float4*>(stage.statistics[thread()]) = v;
    }

   private:
    __device__ static __forceinline__ int thread() { return static_cast<int>(threadIdx.x) % kCodeRows; }

    // The i-th `Bytes` of the 32 of a row; zeros beyond K.
    template <int Bytes>
    __device__ __forceinline__ void copy(CodeStage& stage, int64_t k, int row, int i) const {
        const bool exists = k + i * (2 * Bytes) < K_;
        const uint8_t* from = weight_.packed + (min(first_ + row, weight_.N - 1) * K_ + k) / 2 + (exists ? i * Bytes : 0);
        uint8_t* to = stage.piece(row, i * Bytes / 16) + i * Bytes % 16;
        if constexpr (Bytes == 16) ptx::copy_async_streaming(to, from, exists ? Bytes : 0);
        else ptx::copy_async<Bytes>(to, from, exists ? Bytes : 0);
    }

    const Weight4Bit& weight_;
    int64_t K_, element_, first_;
    bool has_pieces_, has_one_statistic_;
};

// ---- reading -------------------------------------------------------------------------------------------------------------------

// The bytes that this lane needs of two slices of a row: byte lane % 4 of each of four words. Slice 0: bytes 0 (k = 2t and 2t + 1)
// and 1 (8 further); slice 1: bytes 2 and 3.
__device__ __forceinline__ uint32_t bytes_of_lane(uint4 words, uint32_t selector) {
    return ptx::prmt(ptx::prmt(words.x, words.y, selector), ptx::prmt(words.z, words.w, selector), 0x5410);
}

__device__ __forceinline__ float table_at(const float (&table)[16], uint32_t offsets, int i) {
    return *reinterpret_cast<const float*>(reinterpret_cast<const char*>(table) + (offsets >> (8 * i) & 0xff));
}

// Operand A of the four products of a stage: rows 16 * warp to 16 * warp + 15 of the tile. Each value is the one that dequantizing
// would make: table value times statistic, rounded to float32 and to T.
template <class T>
__device__ __forceinline__ void decode(uint32_t (&a)[4][4], const CodeStage& stage, const float (&table)[16], int warp) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const uint32_t selector = 0x40u + static_cast<uint32_t>(lane % 4) * 0x11u;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        const int row = 16 * warp + 8 * r + lane / 4;
        const float4 v = *reinterpret_cast<const float4*>(stage.statistics[row]);
        const float statistics[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
        for (int piece = 0; piece < 2; ++piece) {
            const uint32_t bytes = bytes_of_lane(*reinterpret_cast<const uint4*>(stage.piece(row, piece)), selector);
            // Offsets into the table: the first of two codes is the high nibble.
            const uint32_t first = bytes >> 2 & 0x3c3c3c3cu, second = bytes << 2 & 0x3c3c3c3cu;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int slice = 2 * piece + i / 2;
                a[slice][r + i % 2 * 2] =
                    pack_two(table_at(table, first, i) * statistics[slice], table_at(table, second, i) * statistics[slice], T{});
            }
        }
    }
}

}  // namespace halfbyte::cuda
