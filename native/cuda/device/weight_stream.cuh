// A 4-bit weight on its way to the tensor cores, in registers: units of two 16-row strips by 128 k, as a warp loads and reads them.
// All loads are coherent: the kernel that loads overlaps the one before it, whose result the weight may be.
//
// With g = lane / 4 and t = lane % 4 a lane holds rows g and g + 8 of each strip, and of each 64 codes of a row the 16 codes that
// begin at 16t: 8 bytes, so that the four lanes of a row load one whole sector. A dot product does not mind the order of its terms.
//
//   kPlain   block size 64, K a multiple of 128: a float32 statistic per 64 codes
//   kNested  the same with nested statistics: a byte each, and for each unit of a row one nested statistic
//   kLarge   block sizes above 64, K a multiple of 128: one statistic for all of a unit's codes in a row, plain or nested
//   kAny     any block size, K a multiple of 16: lane t holds the statistic of its own 16 codes, plain or nested
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx.cuh"
#include "cuda/device/weights_4bit.cuh"

namespace halfbyte::cuda {

enum class StreamKind : int32_t { kPlain, kNested, kLarge, kAny };

// Whether lane r holds the statistics of row r of a unit, for all lanes.
template <StreamKind Kind>
inline constexpr bool kHasRowPerLane = Kind == StreamKind::kNested || Kind == StreamKind::kLarge;

inline constexpr int kUnitDepth = 128, kStripRows = 16, kStripsOfUnit = 2;

// What a lane holds of a unit: row r is row g + 8 * (r % 2) of strip r / 2, block b its 64 codes from 64b on. `Blocks`: how many
// blocks the products of the block's lanes belong to. With two, lanes of t = 0 and 1 hold the first block's statistic, the others
// the second's.
template <StreamKind Kind, int Blocks>
struct StreamUnit {
    static_assert(Blocks == 1 || (Blocks == 2 && Kind != StreamKind::kAny));
    static constexpr int kStatistics = 2 / Blocks;  // of a row
    // As load() leaves them; nested ones need two words.
    static constexpr int kWords = Kind == StreamKind::kPlain ? kStatistics : kHasRowPerLane<Kind> ? 2 : 4;
    uint2 codes[4][2];  // [row][block]
    uint32_t statistics[kHasRowPerLane<Kind> ? 1 : 4][kWords] = {};

    // Of a row's block, or with rows per lane of this lane's row: the statistic, or its code and the nested statistic.
    __device__ __forceinline__ uint32_t raw(int row, int block) const { return statistics[row][block]; }
    __device__ __forceinline__ float nested(int row, int block) const {
        return __uint_as_float(statistics[row][kHasRowPerLane<Kind> ? 1 : 2 + block]);
    }
};

// Where a warp loads from next. Addresses are those of a unit that begins a nested block, so that one count of units from there on
// serves all of them. `Pairs`: of strips that the warp multiplies at a time, one unit for each pair.
template <StreamKind Kind, int Blocks, int Pairs>
struct StreamPosition {
    using Unit = StreamUnit<Kind, Blocks>;
    static constexpr int kMostStrips = Pairs * kStripsOfUnit;

    const Weight4Bit& weight;
    const int64_t K;
    const int begin, end;          // k of this warp
    int strips = 0;                // that there are from here on, up to kMostStrips
    uint32_t unit = 0, after = 0;  // counted from the addresses below, and the one after it
    // Of this lane's codes: an address for each of its rows or, where registers are few, of its first row and units from there.
    static constexpr bool kHasOneBase = Kind == StreamKind::kPlain || Pairs == 2;
    uint64_t codes[kHasOneBase ? 1 : 2 * kMostStrips];
    uint32_t rows[2 * kMostStrips];
    uint64_t statistics = 0;  // of the first row; where lanes hold rows, of row `lane`, and units from there to the other pair's
    const float* nested_absmax = nullptr;
    uint32_t other_row = 0;
    const int shift, nested_shift;  // from units to statistics, and to nested ones, where lanes hold rows
    int k = 0;                      // kAny's
    int64_t elements[2 * kMostStrips];

    __device__ __forceinline__ StreamPosition(const Weight4Bit& of, int64_t depth, int first, int last)
        : weight(of),
          K(depth),
          begin(first),
          end(last),
          shift(Kind == StreamKind::kNested ? 0 : of.statistics.shift - 7),
          nested_shift(of.statistics.shift - 7 + of.statistics.nested_shift) {}

    // To the begin of `count` strips (kMostStrips at most, and none if it is negative). Rows beyond N repeat the last.
    __device__ __forceinline__ void seek(int strip, int count) {
        const int lane = ptx::lane_id();
        const auto row = [&](int in_strip) {
            return static_cast<uint32_t>(min(int64_t{strip} * kStripRows + in_strip, weight.N - 1));
        };
        strips = min(max(count, 0), kMostStrips);
        const uint32_t first = row(lane / 4);
        const uint64_t absmax = reinterpret_cast<uint64_t>(weight.statistics.absmax);
        uint64_t from = reinterpret_cast<uint64_t>(weight.packed) + lane % 4 * 8;
        if constexpr (Kind == StreamKind::kAny) {
            k = begin;
            unit = 0;
            from += begin / 2;
#pragma unroll
            for (int r = 0; r < 2 * kMostStrips; ++r) elements[r] = row(lane / 4 + 8 * r) * K + begin + lane % 4 * 16;
        } else {
            const auto of_row = static_cast<uint32_t>(K / kUnitDepth);
            const uint64_t before = static_cast<uint32_t>(begin) / kUnitDepth;
            unit = 0;
            if constexpr (Kind == StreamKind::kPlain) {
                statistics = absmax + (uint64_t{first} * of_row + before) * 8 + (Blocks == 2 ? lane % 4 / 2 * 4 : 0);
            } else {
                const uint64_t units = uint64_t{row(lane)} * of_row + before, nested_block = units >> nested_shift;
                unit = static_cast<uint32_t>(units) & ((1u << nested_shift) - 1);
                other_row = (row(lane + kStripsOfUnit * kStripRows) - row(lane)) * of_row;
                nested_absmax = weight.statistics.nested_absmax + nested_block;
                const uint32_t bytes = Kind == StreamKind::kNested ? 2 : weight.is_nested ? 1 : 4;
                statistics = absmax + ((units - unit) >> shift) * bytes;
            }
#pragma unroll
            for (int r = 0; r < 2 * kMostStrips; ++r) rows[r] = (row(lane / 4 + 8 * r) - first) * of_row;
            from += (before - unit) * (kUnitDepth / 2);
        }
#pragma unroll
        for (int r = 0; r < (kHasOneBase ? 1 : 2 * kMostStrips); ++r)
            codes[r] = from + uint64_t{row(lane / 4 + 8 * r)} * static_cast<uint32_t>(K / 2);
        unit = ptx::opaque(unit);
        after = ptx::opaque(unit + 1);
    }

    __device__ __forceinline__ void advance(int units) {
        k += units * kUnitDepth;
        unit = ptx::opaque(unit + static_cast<uint32_t>(units));
        after = ptx::opaque(after + static_cast<uint32_t>(units));
    }

    // The unit of `Strips` strips of a pair that is `ahead` units from here, without the statistics of rows per lane.
    template <int Strips, int Pair = 0>
    __device__ __forceinline__ void load(Unit& to, int ahead) const {
#pragma unroll
        for (int r = 0; r < 2 * Strips; ++r) load_row(to, r, 4 * Pair + r, ahead);
    }

    // The first or the second unit to be multiplied: of more than two strips the second one is the other pair's, else the next in
    // K.
    template <int Which>
    __device__ __forceinline__ void load_first(Unit& unit, int units) const {
        if (Pairs == 2 && Which == 1 && strips > kStripsOfUnit) {
            if (strips > 3) load<2, Pairs - 1>(unit, 0);
            else load<1, Pairs - 1>(unit, 0);
        } else if (Which < units) {
            if (strips > 1) load<2>(unit, Which);
            else if (strips == 1) load<1>(unit, Which);
        }
    }

    // Where lanes hold rows: the statistics of the unit of pair `Pair`. Two blocks in a row share the nested statistic.
    template <int Pair = 0>
    __device__ __forceinline__ void load_statistics(Unit& to, int ahead) const {
        if constexpr (kHasRowPerLane<Kind>) {
            const uint32_t here = unit + (Pair == 0 ? 0 : other_row);
            const uint32_t there = Pair == 0 && ahead == 1 ? after : here + static_cast<uint32_t>(ahead);
            // Ordinary loads are coherent too, and the compiler may place them, which saves registers.
            if constexpr (Kind == StreamKind::kNested) {
                to.statistics[0][0] = reinterpret_cast<const uint16_t*>(statistics + uint64_t{here} * 2)[ahead];
                to.statistics[0][1] = __float_as_uint(nested_absmax[there >> nested_shift]);
            } else if (weight.is_nested) {
                to.statistics[0][0] = reinterpret_cast<const uint8_t*>(statistics)[there >> shift];
                to.statistics[0][1] = __float_as_uint(nested_absmax[there >> nested_shift]);
            } else {
                to.statistics[0][0] = reinterpret_cast<const uint32_t*>(statistics)[there >> shift];
            }
        }
    }

    // Of the first units to be multiplied, as load_first() loads them.
    template <int Ring>
    __device__ __forceinline__ void load_first_statistics(Unit (&ring)[Ring], int units) const {
        if (strips == 0 || units == 0) return;
        load_statistics(ring[0], 0);
        if constexpr (Ring == 2) {
            if (Pairs == 2 && strips > kStripsOfUnit) load_statistics<Pairs - 1>(ring[1], 0);
            else if (units > 1) load_statistics(ring[1], 1);
        }
    }

   private:
    __device__ __forceinline__ void load_row(Unit& to, int r, int row, int ahead) const {
        const uint32_t here = kHasOneBase && row > 0 ? unit + rows[row] : unit;
        const auto* from = reinterpret_cast<const uint2*>(codes[kHasOneBase ? 0 : row] + uint64_t{here} * (kUnitDepth / 2)) +
                           ahead * (kUnitDepth / 16);
        if constexpr (Kind == StreamKind::kAny) {
            load_any(to, from, r, row, ahead);
        } else {
            to.codes[r][0] = ptx::load_coherent_streaming<256>(from);
            to.codes[r][1] = ptx::load_coherent_streaming<256>(from + 4);
            if constexpr (Kind == StreamKind::kPlain) {
                const auto* at = reinterpret_cast<const uint2*>(statistics + uint64_t{here} * 8) + ahead;
                if constexpr (Blocks == 2) {
                    to.statistics[r][0] = ptx::load_coherent(reinterpret_cast<const uint32_t*>(at));
                } else {
                    const uint2 pair = ptx::load_coherent(at);
                    to.statistics[r][0] = pair.x;
                    to.statistics[r][1] = pair.y;
                }
            }
        }
    }

    __device__ __forceinline__ void load_any(Unit& to, const uint2* from, int r, int row, int ahead) const {
        const Statistics& of = weight.statistics;
#pragma unroll
        for (int b = 0; b < 2; ++b) {
            const int further = k - begin + ahead * kUnitDepth + b * 64;
            const bool exists = begin + further + static_cast<int>(threadIdx.x) % 4 * 16 < end;
            const int64_t block = (elements[row] + further) >> of.shift;
            to.codes[r][b] = exists ? ptx::load_coherent_streaming<128>(from + 4 * b) : uint2{};
            if (weight.is_nested) {
                to.statistics[r][b] = exists ? ptx::load_coherent(static_cast<const uint8_t*>(of.absmax) + block) : 0;
                to.statistics[r][2 + b] =
                    exists ? __float_as_uint(ptx::load_coherent(of.nested_absmax + (block >> of.nested_shift))) : 0;
            } else {
                to.statistics[r][b] = exists ? ptx::load_coherent(static_cast<const uint32_t*>(of.absmax) + block) : 0;
            }
        }
    }
};

// Brings what rows [first, last) hold of two units from k on into the second-level cache: a sector of codes per lane, and
// statistics.
__device__ __forceinline__ void prefetch_units(const Weight4Bit& weight, int64_t K, int64_t first, int64_t last, int k, int end) {
    const int lane = ptx::lane_id(), t = lane % 4;
#pragma unroll 1
    for (int64_t row = first + lane / 4; row < last; row += 8) {
        const int64_t element = row * K + k + t * 64;
        if (k + t * 64 < end) ptx::prefetch_l2(weight.packed + element / 2);
        if (k < end && t == 0) {
            const int64_t block = element >> weight.statistics.shift;
            ptx::prefetch_l2(static_cast<const uint8_t*>(weight.statistics.absmax) + block * (weight.is_nested ? 1 : 4));
        }
    }
}

// Four lanes hold 16 codes of a row each; after, lane t holds codes 4t to 4t + 3 of each of the four: of lane 0 in the lower half
// of x, of lane 1 in the lower half of y, of lanes 2 and 3 in the upper halves.
__device__ __forceinline__ uint2 transposed_codes(uint2 codes) {
    const bool is_upper = threadIdx.x & 2, is_odd = threadIdx.x & 1;
    const uint32_t kept = is_upper ? codes.y : codes.x;
    const uint32_t received = __shfl_xor_sync(0xffffffffu, is_upper ? codes.x : codes.y, 2);
    const uint32_t lower = is_upper ? received : kept, upper = is_upper ? kept : received;
    const uint32_t low = ptx::prmt(lower, upper, 0x5410), high = ptx::prmt(lower, upper, 0x7632);
    const uint32_t mine = is_odd ? high : low, other = __shfl_xor_sync(0xffffffffu, is_odd ? low : high, 1);
    return is_odd ? make_uint2(other, mine) : make_uint2(mine, other);
}

}  // namespace halfbyte::cuda
