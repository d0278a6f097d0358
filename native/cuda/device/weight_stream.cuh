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
    uint32_t statistics[kHasRowPerLane<Kind> ? 1 : 4][kWords];

    // Of row `lane`, where lanes hold rows: the statistics of the two blocks.
    __device__ __forceinline__ float2 row_statistics(const float* nested_codebook, float nested_offset, bool is_nested) const {
        static_assert(kHasRowPerLane<Kind>);
        const uint32_t raw = statistics[0][0];
        const auto decoded = [&](uint32_t code) {
            return __fadd_rn(__fmul_rn(nested_codebook[code], __uint_as_float(statistics[0][1])), nested_offset);
        };
        if constexpr (Kind == StreamKind::kNested) {
            return make_float2(decoded(ptx::prmt(raw, 0, 0x4440)), decoded(ptx::prmt(raw, 0, 0x4441)));
        } else {
            const float statistic = is_nested ? decoded(raw) : __uint_as_float(raw);
            return make_float2(statistic, statistic);
        }
    }

    // The statistic of a row's block: of its 64 codes, or of this lane's 16; with two blocks, of this lane's.
    __device__ __forceinline__ float statistic(int row, int block, const float* nested_codebook, float nested_offset,
                                               bool is_nested) const {
        if constexpr (Kind == StreamKind::kPlain) {
            return __uint_as_float(statistics[row][block]);
        } else {
            const uint32_t raw = statistics[row][block];
            if (!is_nested) return __uint_as_float(raw);
            return __fadd_rn(__fmul_rn(nested_codebook[raw], __uint_as_float(statistics[row][2 + block])), nested_offset);
        }
    }
};

// Where a warp loads from next: addresses of the lane's first row, and how many rows the others lie behind it. `Pairs`: of strips
// that the warp multiplies at a time, one unit for each pair.
template <StreamKind Kind, int Blocks, int Pairs>
struct StreamPosition {
    using Unit = StreamUnit<Kind, Blocks>;
    static constexpr int kStatisticBytes = Kind == StreamKind::kNested ? 1 : 4;
    static constexpr int kMostStrips = Pairs * kStripsOfUnit;

    const Weight4Bit& weight;
    const int64_t K;
    const float* const nested_absmax;
    const int nested_shift;
    const int begin, end;  // k of this warp
    int strips = 0;        // that there are from here on, up to kMostStrips
    int k = 0;
    int64_t element = 0;  // this lane's first one in the first row, for statistics
    const uint8_t* codes = nullptr;
    const uint8_t* statistics = nullptr;
    uint32_t block = 0;                        // of 64 codes, the first one of row `lane`
    uint32_t other_block = 0;                  // from there to that of the other pair
    uint32_t rows[2 * kMostStrips];            // elements between the first row and row r
    uint32_t code_rows[2 * kMostStrips];       // bytes
    uint32_t statistic_rows[2 * kMostStrips];  // bytes

    __device__ __forceinline__ StreamPosition(const Weight4Bit& of, int64_t depth, int first, int last)
        : weight(of),
          K(depth),
          nested_absmax(of.statistics.nested_absmax),
          nested_shift(of.statistics.nested_shift),
          begin(first),
          end(last) {}

    // To the begin of `count` strips (kMostStrips at most, and none if it is negative). Rows beyond N repeat the last.
    __device__ __forceinline__ void seek(int strip, int count) {
        const int lane = ptx::lane_id();
        strips = min(max(count, 0), kMostStrips);
        k = begin;
        const int64_t first = min(int64_t{strip} * kStripRows + lane / 4, weight.N - 1);
        element = first * K + begin + (Blocks == 2 ? lane % 4 / 2 * 64 : Kind == StreamKind::kAny ? lane % 4 * 16 : 0);
        codes = weight.packed + (first * K + begin) / 2 + lane % 4 * 8;
        const int64_t mine = min(int64_t{strip} * kStripRows + lane, weight.N - 1);
        block = static_cast<uint32_t>((mine * K + begin) / 64);
        other_block = static_cast<uint32_t>(min(int64_t{kStripsOfUnit * kStripRows}, weight.N - 1 - mine) * K / 64);
        statistics = static_cast<const uint8_t*>(weight.statistics.absmax) +
                     (Kind == StreamKind::kNested ? block : element / 64 * kStatisticBytes);
#pragma unroll
        for (int r = 0; r < 2 * kMostStrips; ++r) {
            rows[r] = static_cast<uint32_t>(min(int64_t{8 * r}, weight.N - 1 - first) * K);
            code_rows[r] = rows[r] / 2;
            statistic_rows[r] = rows[r] / 64 * kStatisticBytes;
        }
    }

    __device__ __forceinline__ void advance(int units) {
        k += units * kUnitDepth;
        element += units * kUnitDepth;
        block += static_cast<uint32_t>(units * (kUnitDepth / 64));
        codes += units * (kUnitDepth / 2);
        statistics += units * (kUnitDepth / 64 * kStatisticBytes);
    }

    // The unit of `Strips` strips of a pair that is `ahead` units from here.
    template <int Strips, int Pair = 0>
    __device__ __forceinline__ void load(Unit& unit, int ahead) const {
#pragma unroll
        for (int r = 0; r < 2 * Strips; ++r) load_row(unit, r, 4 * Pair + r, ahead);
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

   private:
    __device__ __forceinline__ void load_row(Unit& unit, int r, int row, int ahead) const {
        if constexpr (Kind == StreamKind::kAny) {
            load_any(unit, r, row, ahead);
        } else {
            const auto* from = reinterpret_cast<const uint2*>(codes + code_rows[row] + ahead * (kUnitDepth / 2));
            unit.codes[r][0] = ptx::load_coherent_streaming<256>(from);
            unit.codes[r][1] = ptx::load_coherent_streaming<256>(from + 4);
            if constexpr (kHasRowPerLane<Kind>) {
                if (r == 0) load_row_statistics(unit, row == 0 ? 0 : other_block, ahead);
            } else if constexpr (Blocks == 2) {
                unit.statistics[r][0] =
                    ptx::load_coherent(reinterpret_cast<const uint32_t*>(statistics + statistic_rows[row]) + ahead * 2);
            } else {
                const uint2 pair = ptx::load_coherent(reinterpret_cast<const uint2*>(statistics + statistic_rows[row]) + ahead);
                unit.statistics[r][0] = pair.x;
                unit.statistics[r][1] = pair.y;
            }
        }
    }

    // Of row `lane` of the unit, where lanes hold rows. Two blocks in a row share the nested statistic.
    __device__ __forceinline__ void load_row_statistics(Unit& unit, uint32_t further, int ahead) const {
        const uint32_t of_64 = block + further + static_cast<uint32_t>(ahead * (kUnitDepth / 64));
        if constexpr (Kind == StreamKind::kNested) {
            // Ordinary loads are coherent too, and the compiler may place them, which saves the registers that would be spilled.
            unit.statistics[0][0] = reinterpret_cast<const uint16_t*>(statistics + further)[ahead];
            unit.statistics[0][1] = __float_as_uint(nested_absmax[of_64 >> nested_shift]);
        } else {
            const Statistics& of = weight.statistics;
            const uint32_t at = of_64 >> (of.shift - 6);
            if (weight.is_nested) {
                unit.statistics[0][0] = ptx::load_coherent(static_cast<const uint8_t*>(of.absmax) + at);
                unit.statistics[0][1] = __float_as_uint(ptx::load_coherent(nested_absmax + (at >> nested_shift)));
            } else {
                unit.statistics[0][0] = ptx::load_coherent(static_cast<const uint32_t*>(of.absmax) + at);
            }
        }
    }

    __device__ __forceinline__ void load_any(Unit& unit, int r, int row, int ahead) const {
        const Statistics& of = weight.statistics;
        const auto* from = reinterpret_cast<const uint2*>(codes + code_rows[row] + ahead * (kUnitDepth / 2));
#pragma unroll
        for (int b = 0; b < 2; ++b) {
            const int further = ahead * kUnitDepth + b * 64;
            const bool exists = k + further + static_cast<int>(threadIdx.x) % 4 * 16 < end;
            const int64_t block = (element + rows[row] + further) >> of.shift;
            unit.codes[r][b] = exists ? ptx::load_coherent_streaming<128>(from + 4 * b) : uint2{};
            if (weight.is_nested) {
                unit.statistics[r][b] = exists ? ptx::load_coherent(static_cast<const uint8_t*>(of.absmax) + block) : 0;
                unit.statistics[r][2 + b] =
                    exists ? __float_as_uint(ptx::load_coherent(of.nested_absmax + (block >> of.nested_shift))) : 0;
            } else {
                unit.statistics[r][b] = exists ? ptx::load_coherent(static_cast<const uint32_t*>(of.absmax) + block) : 0;
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
