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

// Pairs of strips that a warp multiplies at a time. Two, where an operand of x serves one product per strip and registers suffice:
// four products are then made of what is read once.
template <StreamKind Kind, int Rows, int Stride>
inline constexpr int kPairsOf = Rows == 8 && (Kind == StreamKind::kPlain || (Kind == StreamKind::kNested && Stride == 256)) ? 2 : 1;

// Blocks of 64 k whose products the eight columns of a tensor core's product are: of the eight, half are enough for four rows of x.
// Where lanes hold statistics of 16 codes the columns are rows of x and nothing else.
template <StreamKind Kind, int Rows>
inline constexpr int kBlocksOf = Rows <= 4 && Kind != StreamKind::kAny ? 2 : 1;

template <class T, int Rows, int Stride>
struct StreamShared {
    PairTable<T, Stride> table;
    // Statistics of the units that a warp multiplies next, decoded: [row % 8][block][row / 8][unit]. In rows of 20 neither the
    // lanes that write a row each nor those that read four conflict. Two places where a warp has two pairs of strips.
    // Where blocks have less shared memory, rows of 16 and one place must do.
    static constexpr int kTurns = Rows == 8 && Stride == 256 ? 2 : 1, kSharedRow = Stride == 256 ? 20 : 16;
    float of_rows[kStreamWarps][kTurns][8][kSharedRow];
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
    static constexpr int kPairs = kPairsOf<Kind, Rows, Stride>, kStripsOfWarp = kPairs * kStripsOfUnit;
    using Position = StreamPosition<Kind, kBlocks, kPairs>;
    using Totals = float[kStripsOfWarp][kGroups][4];
    using Ring = Unit[At::kRing];
    static constexpr int kBytesOfX = kUnitDepth * 2;  // of a unit, in a row
    // Where lanes hold rows, the statistics of a lane's four rows: of both units in the ring, if it wants one of each, or of a
    // unit's blocks.
    static constexpr int kBlocksOfRow = Kind == StreamKind::kNested ? 2 : 1;
    static constexpr bool kOwnsRing = At::kRing == 2 && kBlocksOfRow / kBlocks < 2;
    static constexpr int kOwn = kOwnsRing ? At::kRing : kBlocksOfRow;
    using Own = float[4][kOwn];

    SharedMemory& shared;
    const int32_t x_stride;  // bytes between rows of x in shared memory
    const Weight4Bit& weight;
    const float nested_offset;
    const int units;    // of this warp, in K
    const int first_x;  // where this lane's bytes of the first eight rows of x begin in its first unit
    const int last;     // strip
    float (*const of_rows)[8][SharedMemory::kSharedRow];  // this warp's

    // A statistic from its code, in two roundings.
    template <int Byte>
    __device__ __forceinline__ float decoded(uint32_t codes, float nested) const {
        const float value = shared.table.template get_float<Byte>(codes, PairTable<T, Stride>::lane_part());
        return __fadd_rn(__fmul_rn(value, nested), nested_offset);
    }

    // Where lanes hold the statistics of a row each, they are decoded once, for all units in the ring, and handed out. With two
    // places by turns what is overwritten was read before the barrier of the turn in between.
    template <int Turn = 0, bool ByTurns = false>
    __device__ __forceinline__ void share_statistics(const Ring& ring) const {
        if constexpr (kHasRowPerLane<Kind>) {
            const int lane = static_cast<int>(threadIdx.x) % 32;
            float mine[At::kRing][kBlocksOfRow];
#pragma unroll
            for (int u = 0; u < At::kRing; ++u) {
                const uint32_t raw = ring[u].raw(0, 0);
                const float nested = ring[u].nested(0, 0);
                if constexpr (Kind == StreamKind::kNested)
                    mine[u][0] = decoded<0>(raw, nested), mine[u][1] = decoded<1>(raw, nested);
                else mine[u][0] = weight.is_nested ? decoded<0>(raw, nested) : __uint_as_float(raw);
            }
            if constexpr (!ByTurns || SharedMemory::kTurns == 1) __syncwarp();
#pragma unroll
            for (int i = 0; i < (kOwnsRing ? kBlocksOfRow : At::kRing); ++i) {
                float* to = &of_rows[Turn % SharedMemory::kTurns][lane % 8][(4 * i + lane / 8) * kOwn];
                if constexpr (kOwn == 1) *to = mine[i][0];
                else if constexpr (kOwnsRing) *reinterpret_cast<float2*>(to) = make_float2(mine[0][i], mine[1][i]);
                else *reinterpret_cast<float2*>(to) = make_float2(mine[i][0], mine[i][1]);
            }
            __syncwarp();
        }
    }

    // A lane's own for the ring's unit `Place`; of both with the first.
    template <int Place, int Turn = 0>
    __device__ __forceinline__ void take_statistics(Own& own) const {
        if constexpr (kHasRowPerLane<Kind> && !(kOwnsRing && Place == 1)) {
            const int lane = static_cast<int>(threadIdx.x) % 32;
            const int part = kOwnsRing ? (kBlocksOfRow == 2 ? lane % 4 / 2 : 0) : Place;
#pragma unroll
            for (int i = 0; i < kOwn; ++i)
                *reinterpret_cast<float4*>(&own[0][0] + 4 * i) =
                    *reinterpret_cast<const float4*>(&of_rows[Turn % SharedMemory::kTurns][lane / 4][4 * (part * kOwn + i)]);
        }
    }

    // The 64 codes of a block of a strip as four operands of 16 x 16, and the statistics of this lane's two rows.
    template <int Place>
    __device__ __forceinline__ void decode(uint32_t (&a)[4][4], float (&statistics)[2], const Unit& unit, const Own& own, int strip,
                                           int block) const {
        const uint32_t lane_part = PairTable<T, Stride>::lane_part();
        const auto& table = shared.table;
        constexpr int kSecond = Kind == StreamKind::kAny ? 2 : 1, kThird = 3 - kSecond;  // as transposed_codes() puts them
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            uint2 codes = unit.codes[2 * strip + h][block];
            if constexpr (Kind == StreamKind::kAny) codes = transposed_codes(codes);
            const int row = 2 * strip + h, of_lane = kBlocks == 2 ? 0 : block;
            if constexpr (kHasRowPerLane<Kind>) {
                statistics[h] = own[row][kOwnsRing ? Place : block % kOwn];
            } else if constexpr (Kind == StreamKind::kPlain) {
                statistics[h] = __uint_as_float(unit.raw(row, of_lane));
            } else {
                const uint32_t raw = unit.raw(row, of_lane);
                statistics[h] = weight.is_nested ? decoded<0>(raw, unit.nested(row, of_lane)) : __uint_as_float(raw);
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
    __device__ __forceinline__ void load_x(uint32_t (&b)[4][2], int at) const {
        const unsigned char* x = shared.x() + at;
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
    template <int Strips, int First, int Turn = 0>
    __device__ __forceinline__ void add(Totals& totals, const Unit& unit, Own& own, const uint32_t (&b)[2][4][2]) const {
        take_statistics<First / kStripsOfUnit, Turn>(own);
#pragma unroll
        for (int block = 0; block < 2; ++block)
#pragma unroll
            for (int s = 0; s < Strips; ++s) {
                uint32_t a[4][4];
                float statistics[2];
                decode<First / kStripsOfUnit>(a, statistics, unit, own, s, block);
                add(totals[First + s][0], a, b[block], statistics, true);
            }
    }

    // The same with x where it lies. Of the two operands the one stays in registers that is larger.
    template <int Strips, int Place>
    __device__ __forceinline__ void add(Totals& totals, const Unit& unit, Own& own, int x) const {
        take_statistics<Place>(own);
        uint32_t b[4][2];
        const bool is_second = threadIdx.x & 2;
        if constexpr (kBlocks == 2) load_x(b, x);
#pragma unroll
        for (int block = 0; block < 2; ++block) {
            if constexpr (kGroups == 1) {
                if constexpr (kBlocks == 1) load_x(b, x + block * 128);
#pragma unroll
                for (int s = 0; s < Strips; ++s) {
                    uint32_t a[4][4];
                    float statistics[2];
                    decode<Place>(a, statistics, unit, own, s, block);
                    add(totals[s][0], a, b, statistics, kBlocks == 1 || (block == 0 ? !is_second : is_second));
                }
            } else {
                uint32_t a[Strips][4][4];
                float statistics[Strips][2];
#pragma unroll
                for (int s = 0; s < Strips; ++s) decode<Place>(a[s], statistics[s], unit, own, s, block);
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
    // first ones of the strips from `after` on. Statistics of rows per lane are wanted a unit earlier, and loaded earlier.
    template <int Strips>
    __device__ __forceinline__ void run(Totals& totals, Ring& ring, Position& next, int after) const {
        if (units == 0) return;
        int x = first_x;
        Own own;
        if constexpr (At::kRing == 1) {
#pragma unroll 1
            for (int u = 0; u + 1 < units; ++u, x += kBytesOfX) {
                next.advance(1);
                share_statistics(ring);
                next.load_statistics(ring[0], 0);
                add<Strips, 0>(totals, ring[0], own, x);
                next.template load<Strips>(ring[0], 0);
            }
            next.seek(after, last - after);
            share_statistics(ring);
            next.load_first_statistics(ring, units);
            add<Strips, 0>(totals, ring[0], own, x);
            next.template load_first<0>(ring[0], units);
        } else {
            int u = kHasRowPerLane<Kind> ? 1 - units % 2 : 0;
            // An odd one first, where that spares the loop to look whether there is a second one. The other kinds lack registers.
            if (kHasRowPerLane<Kind> && u == 0 && units > 1) {
                next.advance(1);
                share_statistics(ring);
                add<Strips, 0>(totals, ring[0], own, x);
                ring[0] = ring[1];
                next.load_statistics(ring[1], 1);
                next.template load<Strips>(ring[1], 1);
                x += kBytesOfX;
                u = 1;
            }
#pragma unroll 1
            for (; u + 2 < units; x += 2 * kBytesOfX) {
                next.advance(2);
                share_statistics(ring);
                next.load_statistics(ring[0], 0);
                next.load_statistics(ring[1], 1);
                // Where both count the same, one register does.
                u = kHasRowPerLane<Kind> ? u + 2 : static_cast<int>(next.unit);
                const bool has_second = kHasRowPerLane<Kind> || u + 1 < units;
                add<Strips, 0>(totals, ring[0], own, x);
                next.template load<Strips>(ring[0], 0);
                add<Strips, 1>(totals, ring[1], own, x + kBytesOfX);
                if (has_second) next.template load<Strips>(ring[1], 1);
            }
            next.seek(after, last - after);
            share_statistics(ring);
            next.load_first_statistics(ring, units);
            add<Strips, 0>(totals, ring[0], own, x);
            next.template load_first<0>(ring[0], units);
            if (kHasRowPerLane<Kind> ? units > 1 : u + 1 < units) add<Strips, 1>(totals, ring[1], own, x + kBytesOfX);
            next.template load_first<1>(ring[1], units);
        }
    }

    // A unit of two pairs of strips, while the ones `ahead` of `next` are loaded.
    template <int Others, int Turn>
    __device__ __forceinline__ void step_pairs(Totals& totals, Ring& ring, const Position& next, int ahead, int x) const {
        uint32_t b[2][4][2];
        Own own;
        share_statistics<Turn, true>(ring);
        next.load_statistics(ring[0], ahead);
        next.template load_statistics<1>(ring[1], ahead);
        load_x(b[0], x);
        load_x(b[1], x + 128);
        add<2, 0, Turn>(totals, ring[0], own, b);
        next.template load<2>(ring[0], ahead);
        if (!ptx::since(90) && Turn == 1) __syncwarp();  // else ptxas would look up further ahead than it has registers for
        add<Others, 2, Turn>(totals, ring[1], own, b);
        next.template load<Others, 1>(ring[1], ahead);
    }

    // The same for a whole pair of strips and one or two of the other pair: the ring holds a unit of each.
    template <int Others>
    __device__ __forceinline__ void run_pairs(Totals& totals, Ring& ring, Position& next, int after) const {
        if (units == 0) return;
        int x = first_x;
        int u = 2;
        if (ptx::since(90)) {
#pragma unroll 1
            for (; u < units; u += 2, x += 2 * kBytesOfX) {
                next.advance(2);
                step_pairs<Others, 0>(totals, ring, next, -1, x);
                step_pairs<Others, 1>(totals, ring, next, 0, x + kBytesOfX);
            }
        } else {
            // Here a register of the warp counts, and is a part of addresses too. On sm_90 that would take registers of lanes.
            uint32_t at = kBytesOfX;
            const uint32_t last_at = static_cast<uint32_t>(units - 1) * kBytesOfX;
#pragma unroll 1
            for (; at < last_at; at = ptx::opaque(at + 2 * kBytesOfX)) {
                next.advance(2);
                x = first_x + static_cast<int>(at) - kBytesOfX;
                step_pairs<Others, 0>(totals, ring, next, -1, x);
                step_pairs<Others, 1>(totals, ring, next, 0, x + kBytesOfX);
            }
            u = units + (at == last_at ? 0 : 1);
            x = first_x + static_cast<int>(at) - kBytesOfX;
        }
        if (u == units) {
            next.advance(1);
            step_pairs<Others, 0>(totals, ring, next, 0, x);
        }
        x = first_x + (units - 1) * kBytesOfX;
        uint32_t b[2][4][2];
        Own own;
        next.seek(after, last - after);
        share_statistics(ring);
        next.load_first_statistics(ring, units);
        load_x(b[0], x);
        load_x(b[1], x + 128);
        add<2, 0>(totals, ring[0], own, b);
        next.template load_first<0>(ring[0], units);
        add<Others, 2>(totals, ring[1], own, b);
        next.template load_first<1>(ring[1], units);
    }

    // The totals of the strips from `strip` on; those from `after` on are next.
    __device__ __forceinline__ void run(Totals& totals, Ring& ring, Position& next, int strip, int after) const {
        const int count = last - strip;
        if constexpr (kPairs == 2) {
            if (count > 3) return run_pairs<2>(totals, ring, next, after);
            if (count > 2) return run_pairs<1>(totals, ring, next, after);
        }
        if (count > 1) run<2>(totals, ring, next, after);
        else if (count == 1) run<1>(totals, ring, next, after);
    }
};

}  // namespace halfbyte::cuda
