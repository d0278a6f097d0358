// How a warp of the streaming 4-bit product (matmul_4bit_stream.cu) multiplies: units of codes in registers become operands of
// tensor cores by way of the pair table, their sums join the totals times their statistics, and the next units are loaded
// meanwhile.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/multiply_add.cuh"
#include "cuda/device/pair_table.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/weight_stream.cuh"

namespace halfbyte::cuda {

inline constexpr int kStreamWarps = 8, kStreamThreads = 32 * kStreamWarps;

// How a block of eight warps multiplies by up to 4, 8, 16 or 32 rows of x: with more of them, more rows of the weight, so that
// what is read of x does not outgrow what is read of the weight.
template <int Rows>
struct StreamShape {
    static constexpr int kGroups = Rows <= 8 ? 1 : Rows / 8;  // of eight columns of a tensor core's product
    static constexpr int kDepthWarps = 8 / kGroups;           // that share rows and split K
    static constexpr int kRowWarps = kStreamWarps / kDepthWarps;
    static constexpr int kLeastStrips = kStripsOfUnit * kRowWarps;  // of a block, if there are so many
    // Units on their way. Many sums leave registers for one; tensor cores are the limit then, and not the memory.
    static constexpr int kRing = Rows <= 16 ? 2 : 1;
    // Their sums meet in shared memory: all at once and in two places by turns, or, where they are many, strip by strip.
    static constexpr int kStripsPerRound = Rows <= 8 ? kStripsOfUnit : 1, kPlaces = Rows <= 8 ? 2 : 1;
    static constexpr int kRows = kStripRows * kStripsPerRound * kRowWarps;
};

// Pairs of strips that a warp multiplies at a time. Two, where an operand of x serves one product per strip: four are then made of
// what is read once.
template <StreamKind Kind, int Rows>
inline constexpr int kPairsOf = Rows == 8 && Kind != StreamKind::kAny ? 2 : 1;

// Blocks of 64 k whose products the eight columns of a tensor core's product are: of the eight, half are enough for four rows of x.
// Where lanes hold statistics of 16 codes the columns are rows of x and nothing else.
template <StreamKind Kind, int Rows>
inline constexpr int kBlocksOf = Rows <= 4 && Kind != StreamKind::kAny ? 2 : 1;

template <class T, int Rows, int Stride>
struct StreamShared {
    PairTable<T, Stride> table;
    float nested_codebook[256];
    float of_rows[kStreamWarps][2][kStripsOfUnit * kStripRows][2];  // statistics of the two units that a warp multiplies
    float sums[StreamShape<Rows>::kPlaces][StreamShape<Rows>::kDepthWarps][Rows][StreamShape<Rows>::kRows + 4];

    // Rows of x follow.
    __device__ unsigned char* x() { return reinterpret_cast<unsigned char*>(this + 1); }
};

// What a warp does for one weight, strip by strip.
template <StreamKind Kind, class T, int Rows, int Stride>
struct StreamMultiplier {
    using SharedMemory = StreamShared<T, Rows, Stride>;
    using At = StreamShape<Rows>;
    static constexpr int kGroups = At::kGroups, kBlocks = kBlocksOf<Kind, Rows>;
    using Unit = StreamUnit<Kind, kBlocks>;
    static constexpr int kPairs = kPairsOf<Kind, Rows>, kStripsOfWarp = kPairs * kStripsOfUnit;
    using Position = StreamPosition<Kind, kBlocks, kPairs>;
    using Totals = float[kStripsOfWarp][kGroups][4];
    static constexpr int kUnrolled = Kind == StreamKind::kLarge ? 1 : 2;  // rounds of run_pairs(): two would spill registers

    SharedMemory& shared;
    const int32_t x_stride;  // bytes between rows of x in shared memory
    const Weight4Bit& weight;
    const float nested_offset;
    const int units;                                        // of this warp, in K
    const unsigned char* first_x;                           // this lane's in its first unit, of the first eight rows
    float (*const of_rows)[kStripsOfUnit * kStripRows][2];  // this warp's

    // Where lanes hold the statistics of a row each, they are decoded once and handed out. With two units on their
    // way there are two places by turns: what is overwritten was read before the barrier of the unit in between.
    template <int Place>
    __device__ __forceinline__ void share_statistics(const Unit& unit) const {
        if constexpr (kHasRowPerLane<Kind>) {
            if constexpr (At::kRing == 1) __syncwarp();
            *reinterpret_cast<float2*>(of_rows[Place][threadIdx.x % 32]) =
                unit.row_statistics(shared.nested_codebook, nested_offset, weight.is_nested);
            __syncwarp();
        }
    }

    // The 64 codes of a block of a strip as four operands of 16 x 16, and the statistics of this lane's two rows.
    template <int Place>
    __device__ __forceinline__ void decode(uint32_t (&a)[4][4], float (&statistics)[2], const Unit& unit, int strip,
                                           int block) const {
        const uint32_t lane_part = PairTable<T, Stride>::lane_part();
        const auto& table = shared.table;
        constexpr int kSecond = Kind == StreamKind::kAny ? 2 : 1, kThird = 3 - kSecond;  // as transposed_codes() puts them
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            uint2 codes = unit.codes[2 * strip + h][block];
            if constexpr (Kind == StreamKind::kAny) codes = transposed_codes(codes);
            if constexpr (kHasRowPerLane<Kind>) {
                const int lane = static_cast<int>(threadIdx.x) % 32;
                statistics[h] = of_rows[Place][strip * kStripRows + 8 * h + lane / 4][kBlocks == 2 ? lane % 4 / 2 : block];
            } else {
                statistics[h] = unit.statistic(2 * strip + h, kBlocks == 2 ? 0 : block, shared.nested_codebook, nested_offset,
                                               weight.is_nested);
            }
            a[0][h] = table.template get<0>(codes.x, lane_part);
            a[0][h + 2] = table.template get<1>(codes.x, lane_part);
            a[kSecond][h] = table.template get<2>(codes.x, lane_part);
            a[kSecond][h + 2] = table.template get<3>(codes.x, lane_part);
            a[kThird][h] = table.template get<0>(codes.y, lane_part);
            a[kThird][h + 2] = table.template get<1>(codes.y, lane_part);
            a[3][h] = table.template get<2>(codes.y, lane_part);
            a[3][h + 2] = table.template get<3>(codes.y, lane_part);
        }
    }

    // This lane's part of eight rows of x by 64 k: four operands of 16 x 8.
    __device__ __forceinline__ void load_x(uint32_t (&b)[4][2], const unsigned char* x) const {
        if constexpr (Kind == StreamKind::kAny) {
#pragma unroll
            for (int step = 0; step < 4; ++step) {
                const uint2 words = *reinterpret_cast<const uint2*>(x + step * 32);
                b[step][0] = words.x, b[step][1] = words.y;
            }
        } else {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const uint4 words = *reinterpret_cast<const uint4*>(x + half * 16);
                b[2 * half][0] = words.x, b[2 * half][1] = words.y;
                b[2 * half + 1][0] = words.z, b[2 * half + 1][1] = words.w;
            }
        }
    }

    // totals += (a * b) times the statistics, in lanes whose columns hold this product.
    __device__ __forceinline__ void add(float (&totals)[4], const uint32_t (&a)[4][4], const uint32_t (&b)[4][2],
                                        const float (&statistics)[2], bool is_mine) const {
        if constexpr (Kind == StreamKind::kAny) {
#pragma unroll
            for (int step = 0; step < 4; ++step) {
                float part[4] = {};
                multiply_add(part, a[step], b[step], T{});
#pragma unroll
                for (int h = 0; h < 2; ++h) {
                    const float statistic = __shfl_sync(0xffffffffu, statistics[h], (threadIdx.x & 28) + step);
                    totals[2 * h] = fmaf(part[2 * h], statistic, totals[2 * h]);
                    totals[2 * h + 1] = fmaf(part[2 * h + 1], statistic, totals[2 * h + 1]);
                }
            }
        } else {
            float part[4] = {};
#pragma unroll
            for (int step = 0; step < 4; ++step) multiply_add(part, a[step], b[step], T{});
            if (is_mine) {
#pragma unroll
                for (int e = 0; e < 4; ++e) totals[e] = fmaf(part[e], statistics[e / 2], totals[e]);
            }
        }
    }

    // totals += the products of `Strips` strips, the first of which is `First`, with a unit and rows of x that have been loaded.
    template <int Strips, int First>
    __device__ __forceinline__ void add(Totals& totals, const Unit& unit, const uint32_t (&b)[2][4][2]) const {
        share_statistics<First / kStripsOfUnit>(unit);
#pragma unroll
        for (int block = 0; block < 2; ++block)
#pragma unroll
            for (int s = 0; s < Strips; ++s) {
                uint32_t a[4][4];
                float statistics[2];
                decode<First / kStripsOfUnit>(a, statistics, unit, s, block);
                add(totals[First + s][0], a, b[block], statistics, true);
            }
    }

    // The same with x where it lies. Of the two operands the one stays in registers that is larger.
    template <int Strips, int Place>
    __device__ __forceinline__ void add(Totals& totals, const Unit& unit, const unsigned char* x) const {
        uint32_t b[4][2];
        share_statistics<Place>(unit);
        if constexpr (kBlocks == 2) load_x(b, x);
#pragma unroll
        for (int block = 0; block < 2; ++block) {
            if constexpr (kGroups == 1) {
                if constexpr (kBlocks == 1) load_x(b, x + block * 128);
#pragma unroll
                for (int s = 0; s < Strips; ++s) {
                    uint32_t a[4][4];
                    float statistics[2];
                    decode<Place>(a, statistics, unit, s, block);
                    add(totals[s][0], a, b, statistics, kBlocks == 1 || block == static_cast<int>(threadIdx.x) % 4 / 2);
                }
            } else {
                uint32_t a[Strips][4][4];
                float statistics[Strips][2];
#pragma unroll
                for (int s = 0; s < Strips; ++s) decode<Place>(a[s], statistics[s], unit, s, block);
#pragma unroll
                for (int group = 0; group < kGroups; ++group) {
                    load_x(b, x + group * 8 * x_stride + block * 128);
#pragma unroll
                    for (int s = 0; s < Strips; ++s) add(totals[s][group], a[s], b, statistics[s], true);
                }
            }
        }
    }

    // totals += the products of up to two strips with all units of this warp. The units in `ring` are the first ones, and `next`
    // points to them: a unit that is used up makes room for the one that follows those in the ring, and after the last for the
    // first ones of the strips from `next_strip` on.
    template <int Strips>
    __device__ __forceinline__ void run(Totals& totals, Unit (&ring)[At::kRing], Position& next, int next_strip,
                                        int next_count) const {
        if (units == 0) return;
        const unsigned char* x = first_x;
        int u = 0;
        if constexpr (At::kRing == 1) {
#pragma unroll 1
            for (; u + 1 < units; ++u, x += kUnitDepth * 2) {
                next.advance(1);
                add<Strips, 0>(totals, ring[0], x);
                next.template load<Strips>(ring[0], 0);
            }
            next.seek(next_strip, next_count);
            add<Strips, 0>(totals, ring[0], x);
            next.template load_first<0>(ring[0], units);
        } else {
#pragma unroll 1
            for (; u + 2 < units; u += 2, x += 2 * kUnitDepth * 2) {
                next.advance(2);
                add<Strips, 0>(totals, ring[0], x);
                next.template load<Strips>(ring[0], 0);
                add<Strips, 1>(totals, ring[1], x + kUnitDepth * 2);
                if (u + 3 < units) next.template load<Strips>(ring[1], 1);
            }
            next.seek(next_strip, next_count);
            add<Strips, 0>(totals, ring[0], x);
            next.template load_first<0>(ring[0], units);
            if (u + 1 < units) add<Strips, 1>(totals, ring[1], x + kUnitDepth * 2);
            next.template load_first<1>(ring[1], units);
        }
    }

    // The same for a whole pair of strips and one or two of the other pair: the ring holds a unit of each.
    template <int Others>
    __device__ __forceinline__ void run_pairs(Totals& totals, Unit (&ring)[At::kRing], Position& next, int next_strip,
                                              int next_count) const {
        if (units == 0) return;
        const unsigned char* x = first_x;
        uint32_t b[2][4][2];
#pragma unroll(kUnrolled)
        for (int u = 1; u < units; ++u, x += kUnitDepth * 2) {
            next.advance(1);
            load_x(b[0], x);
            load_x(b[1], x + 128);
            add<2, 0>(totals, ring[0], b);
            next.template load<2>(ring[0], 0);
            add<Others, 2>(totals, ring[1], b);
            next.template load<Others, 1>(ring[1], 0);
        }
        next.seek(next_strip, next_count);
        load_x(b[0], x);
        load_x(b[1], x + 128);
        add<2, 0>(totals, ring[0], b);
        next.template load_first<0>(ring[0], units);
        add<Others, 2>(totals, ring[1], b);
        next.template load_first<1>(ring[1], units);
    }

    // The totals of `count` strips.
    __device__ __forceinline__ void run(Totals& totals, Unit (&ring)[At::kRing], Position& next, int count, int next_strip,
                                        int next_count) const {
        if constexpr (kPairs == 2) {
            if (count > 3) return run_pairs<2>(totals, ring, next, next_strip, next_count);
            if (count > 2) return run_pairs<1>(totals, ring, next, next_strip, next_count);
        }
        if (count > 1) run<2>(totals, ring, next, next_strip, next_count);
        else if (count == 1) run<1>(totals, ring, next, next_strip, next_count);
    }
};

}  // namespace halfbyte::cuda
