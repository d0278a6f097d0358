// A stage of a 4-bit weight in shared memory: 64 codes of each of 128 rows, and the values that they may have. Filled by 128
// threads, one for each row, and read as operand A of wgmma.
//
// The values are those that dequantizing makes, table value times statistic rounded to float32 and then to T: sixteen of a row and
// block, as the low bytes of all and the high bytes of all. Byte permutes find four codes' bytes in such a plane at once, so that
// no value is looked up in memory, multiplied or rounded more than once for a row. A stage has one such table for each row,
// or one for each 16 k where blocks are smaller than a stage or begin anywhere.
//
// Codes are transposed: byte t of each of the eight words of a row lie together, which is what lane t of a quad needs, because the
// fragment wants of each 16 k the pairs t and t + 4.
//
// Pieces of 16 bytes change places in rows 4 to 7 of each eight, so that eight rows that are written or read at once touch all 32
// banks once.
//
// All loads are coherent: the kernel that loads overlaps the one before it, whose result the weight may be.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/element.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/weights_4bit.cuh"

namespace halfbyte::cuda {

inline constexpr int kCodeRows = 128, kCodeStep = 64, kCodeSlice = 16;

// 32 bytes for each row: two pieces.
struct RowPieces {
    alignas(16) uint4 at[kCodeRows][2];

    __device__ __forceinline__ void set(int row, uint4 first, uint4 second) {
        const int swap = row >> 2 & 1;
        at[row][swap] = first;
        at[row][swap ^ 1] = second;
    }
    __device__ __forceinline__ uint4 get(int row, int i) const { return at[row][i ^ (row >> 2 & 1)]; }
    // Eight bytes: half a piece.
    __device__ __forceinline__ uint2 get_half(int row, int i) const {
        return reinterpret_cast<const uint2*>(&at[row][i / 2 ^ (row >> 2 & 1)])[i % 2];
    }
};

// Tables: 1 or 4 of each row.
template <int Tables>
struct CodeStage {
    RowPieces codes;
    RowPieces tables[Tables];
};

// Whether one table per row and stage is enough.
__host__ __device__ __forceinline__ bool has_one_table(const Weight4Bit& weight, int64_t K) {
    return weight.statistics.shift >= 6 && K % kCodeStep == 0;
}

// ---- filling -------------------------------------------------------------------------------------------------------------------

// Four words as a matrix of bytes, transposed.
__device__ __forceinline__ uint4 transpose_bytes(uint4 w) {
    const uint32_t low01 = ptx::prmt(w.x, w.y, 0x5140), low23 = ptx::prmt(w.z, w.w, 0x5140);
    const uint32_t high01 = ptx::prmt(w.x, w.y, 0x7362), high23 = ptx::prmt(w.z, w.w, 0x7362);
    return make_uint4(ptx::prmt(low01, low23, 0x5410), ptx::prmt(low01, low23, 0x7632), ptx::prmt(high01, high23, 0x5410),
                      ptx::prmt(high01, high23, 0x7632));
}

// What one thread carries of a stage: a row's codes and statistics, on their way from global memory. What a nested statistic is
// made of is loaded at once, so that it costs one latency and not two.
template <int Tables>
struct CodeRegisters {
    uint4 codes[2];
    float factors[Tables];  // absmax, or what the nested codebook's value is multiplied with
    uint32_t nested[Tables];
};

// One of 128 threads that fill the stages of a tile, going along its row. Rows beyond N repeat the last one; values beyond K are
// whatever they are.
template <class T, int Tables>
class CodeFiller {
   public:
    // `first`: where the tile begins among the weight's rows; `k`: where it begins in them.
    __device__ __forceinline__ CodeFiller(const Weights4Bit& weights, const Weight4Bit& weight, int64_t first, int64_t k)
        : statistics_(weight.statistics),
          element_(min(first + row(), weight.N - 1) * weights.K + k),
          from_(weight.packed + element_ / 2),
          rest_(static_cast<int>(weights.K - k)),
          is_nested_(weight.is_nested),
          is_aligned_(Tables == 1 && reinterpret_cast<uintptr_t>(weight.packed) % 16 == 0),
          offset_(weight.is_nested ? *weight.statistics.nested_offset : 0.0f) {
#pragma unroll
        for (unsigned code = 0; code < 16; ++code) table_[code] = table_value(weights, weight, code);
    }

    // Towards the second-level cache, `k` ahead of load(): memory is further away than that looks ahead.
    __device__ __forceinline__ void prefetch(int k) const {
        if (k >= rest_) return;
        const int64_t block = (element_ + k) >> statistics_.shift;
        ptx::prefetch_l2(from_ + k / 2);
        ptx::prefetch_l2(static_cast<const uint8_t*>(statistics_.absmax) + (is_nested_ ? block : 4 * block));
    }

    // The next stage, if the row has one.
    __device__ __forceinline__ void load(CodeRegisters<Tables>& registers) {
        if (rest_ <= 0) return;
        if (is_aligned_) {
            registers.codes[0] = reinterpret_cast<const uint4*>(from_)[0];
            registers.codes[1] = reinterpret_cast<const uint4*>(from_)[1];
        } else {
            uint2 words[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) words[i] = i * kCodeSlice < rest_ ? reinterpret_cast<const uint2*>(from_)[i] : uint2{};
            registers.codes[0] = make_uint4(words[0].x, words[0].y, words[1].x, words[1].y);
            registers.codes[1] = make_uint4(words[2].x, words[2].y, words[3].x, words[3].y);
        }
#pragma unroll
        for (int i = 0; i < Tables; ++i) {
            const int64_t block = (element_ + min(i * kCodeSlice, rest_ - kCodeSlice)) >> statistics_.shift;
            if (is_nested_) {
                registers.nested[i] = ptx::load_coherent(static_cast<const uint8_t*>(statistics_.absmax) + block);
                registers.factors[i] = ptx::load_coherent(statistics_.nested_absmax + (block >> statistics_.nested_shift));
            } else {
                registers.factors[i] = ptx::load_coherent(static_cast<const float*>(statistics_.absmax) + block);
            }
        }
        element_ += kCodeStep;
        from_ += kCodeStep / 2;
        rest_ -= kCodeStep;
    }

    __device__ __forceinline__ void store(CodeStage<Tables>& stage, const CodeRegisters<Tables>& registers) const {
        // Lane t of a quad takes words 2t and 2t + 1 of the row.
        const uint4 a = transpose_bytes(registers.codes[0]), b = transpose_bytes(registers.codes[1]);
        stage.codes.set(row(), make_uint4(a.x, b.x, a.y, b.y), make_uint4(a.z, b.z, a.w, b.w));
#pragma unroll
        for (int i = 0; i < Tables; ++i) {
            float absmax = registers.factors[i];
            if (is_nested_)  // two roundings, as on every device
                absmax =
                    __fadd_rn(__fmul_rn(ptx::load_coherent(statistics_.nested_codebook + registers.nested[i]), absmax), offset_);
            uint32_t low[4], high[4];
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const uint32_t first = pack_two(table_[4 * j] * absmax, table_[4 * j + 1] * absmax, T{});
                const uint32_t second = pack_two(table_[4 * j + 2] * absmax, table_[4 * j + 3] * absmax, T{});
                low[j] = ptx::prmt(first, second, 0x6420);
                high[j] = ptx::prmt(first, second, 0x7531);
            }
            stage.tables[i].set(row(), make_uint4(low[0], low[1], low[2], low[3]), make_uint4(high[0], high[1], high[2], high[3]));
        }
    }

   private:
    __device__ static __forceinline__ int row() { return static_cast<int>(threadIdx.x) % kCodeRows; }

    Statistics statistics_;
    int64_t element_;
    const uint8_t* from_;
    int rest_;  // codes of the row that have not been loaded
    bool is_nested_, is_aligned_;
    float offset_;
    float table_[16];
};

// ---- reading -------------------------------------------------------------------------------------------------------------------

// The sixteen values of a block, as planes of bytes.
struct ValuePlanes {
    uint4 low, high;

    // Of eight codes in a word, as pairs; the first of two codes is the high nibble.
    __device__ __forceinline__ void get(uint32_t (&pairs)[4], uint32_t codes) const {
        const uint32_t selector = codes & 0x77777777u, shifted = codes << 4;
        // Permutes take four nibbles: those of two pairs. The fourth bit of each, replicated, is a byte of the mask.
        get_two(pairs[0], pairs[1], selector, ptx::prmt(codes, shifted, 0x9d8c));
        get_two(pairs[2], pairs[3], selector >> 16, ptx::prmt(codes, shifted, 0xbfae));
    }

   private:
    __device__ __forceinline__ void get_two(uint32_t& first, uint32_t& second, uint32_t selector, uint32_t is_upper) const {
        const uint32_t lows = find(low, selector, is_upper), highs = find(high, selector, is_upper);
        first = ptx::prmt(lows, highs, 0x4051);
        second = ptx::prmt(lows, highs, 0x6273);
    }
    // By the lower three bits in either half of the plane, then by the fourth.
    __device__ static __forceinline__ uint32_t find(uint4 plane, uint32_t selector, uint32_t is_upper) {
        return (ptx::prmt(plane.x, plane.y, selector) & ~is_upper) | (ptx::prmt(plane.z, plane.w, selector) & is_upper);
    }
};

// Operand A of the four products of a stage: rows 16 * warp to 16 * warp + 15 of the tile.
template <int Tables>
__device__ __forceinline__ void decode(uint32_t (&a)[4][4], const CodeStage<Tables>& stage, int warp) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        const int row = 16 * warp + 8 * r + lane / 4;
        const uint2 words = stage.codes.get_half(row, lane % 4);
#pragma unroll
        for (int slice = 0; slice < 4; slice += 2) {
            uint32_t pairs[2][4];
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const RowPieces& table = stage.tables[Tables == 1 ? 0 : slice + i];
                const ValuePlanes planes{table.get(row, 0), table.get(row, 1)};
                planes.get(pairs[i], slice == 0 ? words.x : words.y);
            }
            a[slice][r] = pairs[0][0];
            a[slice][r + 2] = pairs[0][1];
            a[slice + 1][r] = pairs[1][2];
            a[slice + 1][r + 2] = pairs[1][3];
        }
    }
}

}  // namespace halfbyte::cuda
