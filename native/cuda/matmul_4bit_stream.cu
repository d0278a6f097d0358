// y[m, n] = sum over k of x[m, k] * (table[code(n, k)] * absmax(block of (n, k))) + bias[n], for 16-bit x of up to 64 rows and K a
// multiple of 16: the weight streams from memory once, and its codes become operands of tensor cores at the memory's speed.
//
// Arithmetic. Weights are the 16-row operand of 16 x 8 x 16 products, rows of x the columns. Two codes become two values of x's
// type in one lookup (pair_table.cuh: values times a constant, rounded to 16 bits). The products of one statistic's codes are
// summed on their own, the sum joins the row's total times the statistic in float32, and the total is divided by the constant. So
// an error is that of the rounded table, half of what weights rounded to 16 bits have, and of float32 sums: tensor cores truncate
// in a run of 64, K / 64 roundings add up like a random walk. A result that is not finite is computed again by the first line, one
// term after the other: infinite statistics, and products with scaled values that overflow alone.
//
// Threads. A block of eight warps takes a contiguous range of 16-row strips of all weights of the launch, two at a time and per
// warp, so that an operand of x serves twice; with five to eight rows of x four at a time. Ranges differ by one strip. Warps share
// the strips and split K (with many rows of x they split rows too); their sums meet in shared memory, in order. weight_stream.cuh
// says which codes a lane holds. Two units of two strips by 128 k per warp are always on their way, 32 KB and statistics per block,
// across strips too: the loads of the next strips start before the sums of these are added. With up to four rows of x the eight
// columns are four rows by two blocks of 64 k: one load of x serves both, and each lane applies the statistic of its own block.
// Nested statistics, and those of blocks above 64, are read a unit early, decoded by one lane per row, for all units at hand at
// once, and handed out in shared memory; their codebook lies between the entries of the pair table, with a copy for each lane.
//
// x lies in shared memory for all of the block's K; where that is too much, or strips are too few for the device, K is split over
// blocks, by N, K, the device and a power of two above M. Two, four or eight such blocks are a cluster where there are clusters,
// and add their sums in shared memory (cluster_sums.cuh); else the sums go to memory and another launch adds them
// (matmul_partials.h). The order of the sum is the same.
//
// Bytes per weight, block size 64: 0.5 packed + 0.0625 statistics (nested 0.016). In the main loop on sm_90a per weight and lane,
// as sass_budget.sh counts (accesses are of 32 bits to shared and global memory):
//                                   issued   integers and permutes   accesses
//   plain,  up to 4 rows of x        1.45    0.53                    0.72: lookup 0.5, codes 0.125, x 0.0625, statistics 0.03
//   plain,  5 to 8                   1.41    0.51                    0.75: statistics 0.0625
//   nested, up to 4                  1.49    0.55                    0.77
//   nested, 5 to 8                   1.50    0.53                    0.80
// An H200 that only reads, at 4.6 TB/s, brings 31 weights per cycle and multiprocessor, which leaves 1.02 accesses each.
//
// Overlap with the kernel before (grid_dependency_wait): a weight may be that kernel's result, as when a quantizer runs just
// before, and its writes are visible only after the wait, and to coherent loads. So nothing is read ahead of it: the table, which
// is no one's result, is prepared, and the first units of each warp, 4 KB and statistics, are brought into the second-level cache.
// That is a hint and cannot be wrong, because writes go through that cache, and what was brought too early is overwritten there.
#include <algorithm>
#include <atomic>
#include <type_traits>

#include "core/formats.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/stream_multiplier.cuh"
#include "cuda/matmul_4bit.h"
#include "cuda/matmul_4bit_stream.h"
#include "cuda/matmul_partials.h"

namespace halfbyte::cuda {
namespace {

// Where the next kernel may begin before this one is done, with few rows of x, it finds half of the registers free.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
constexpr int kBlocksAtOnce = 2;
#else
constexpr int kBlocksAtOnce = 1;
#endif

struct Arguments {
    MatMul4BitBatch batch;
    int64_t columns;
    int32_t strips, longer_parts;  // of a block, and how many of the first ones have one more
    int32_t units, deeper_splits;  // of 128 k: of a split, and how many of the first ones have one more
    int32_t x_stride;              // bytes between rows of x in shared memory
    bool x_is_aligned;
    bool has_clusters;  // of the splits of a part
};

// k of this block.
struct Depth {
    int begin, end;

    __device__ __forceinline__ explicit Depth(const Arguments& arguments) {
        const int split = static_cast<int>(blockIdx.x);
        begin = (split * arguments.units + min(split, arguments.deeper_splits)) * kUnitDepth;
        const int units = arguments.units + (split < arguments.deeper_splits ? 1 : 0);
        end = static_cast<int>(min(arguments.batch.weights.K, static_cast<int64_t>(begin) + units * kUnitDepth));
    }
};

__device__ __forceinline__ bool has_clusters(const Arguments& arguments) { return ptx::since(90) && arguments.has_clusters; }

template <class T, int Rows, int Stride>
__device__ __forceinline__ HandOver<Rows>& hand_over(StreamShared<T, Rows, Stride>& shared, const Arguments& arguments, int place) {
    const int rows = Rows <= 8 ? static_cast<int>(arguments.batch.M) : Rows;
    return reinterpret_cast<HandOver<Rows>*>(shared.x() + rows * arguments.x_stride)[place];
}

// Bytes between rows of x in shared memory. Lanes 4g + t read 16 bytes at 32t of row g, eight at a time: with rows an odd multiple
// of 16 bytes apart they touch all banks once.
constexpr int32_t x_stride_of(int64_t depth) { return static_cast<int32_t>(ceil_div(depth, kUnitDepth) * kUnitDepth * 2 + 16); }

// Columns [begin, end) of `rows` rows of x, those that do not exist as zeros. A barrier must follow.
template <class T, int Rows>
__device__ __forceinline__ void stage_x(unsigned char* to, const Arguments& arguments, int rows, int begin, int end) {
    constexpr int kAcross = Rows <= 8 ? kStreamThreads : 64;  // threads for a row
    const MatMul4BitBatch& batch = arguments.batch;
#pragma unroll 1
    for (int row = static_cast<int>(threadIdx.x) / kAcross; row < rows; row += kStreamThreads / kAcross) {
        const int64_t m = static_cast<int64_t>(blockIdx.z) * Rows + row;
        const T* from = static_cast<const T*>(batch.x) + m * batch.ldx + begin;
        unsigned char* row_of_x = to + row * arguments.x_stride;
#pragma unroll 1
        for (int k = static_cast<int>(threadIdx.x) % kAcross * 8; k < (arguments.x_stride - 16) / 2; k += kAcross * 8) {
            auto* at = reinterpret_cast<uint4*>(row_of_x + k * 2);
            if (m >= batch.M || begin + k >= end) {
                *at = uint4{};
            } else if (arguments.x_is_aligned && ptx::since(80)) {
                ptx::copy_async_streaming(at, from + k);
            } else if (arguments.x_is_aligned) {
                *at = *reinterpret_cast<const uint4*>(from + k);
            } else {
#pragma unroll 1
                for (int e = 0; e < 8; ++e) reinterpret_cast<T*>(at)[e] = from[k + e];
            }
        }
    }
    if (ptx::since(80)) ptx::copy_async_wait_all();
}

// The sum as it is written in the first line, one term after the other.
template <class T>
__device__ __forceinline__ float sum_by_definition(const MatMul4BitBatch& batch, const Weight4Bit& weight, int64_t m, int64_t n,
                                                   int64_t begin, int64_t end) {
    float sum = 0;
    const auto* x = static_cast<const T*>(batch.x) + m * batch.ldx;
#pragma unroll 1
    for (int64_t k = begin; k < end; ++k) {
        const int64_t i = n * batch.weights.K + k;
        sum += to_float(x[k]) * (table_value(batch.weights, weight, code_of(weight, i)) * absmax_of_element<true>(weight, i));
    }
    return sum;
}

// Strips whose sums meet, the `turn`th of a block's: those of weight i from `strip` on, as far as `last`.
template <int Rows>
struct Round {
    using At = StreamShape<Rows>;
    const MatMul4BitBatch& batch;
    int i, strip, last, turn;

    __device__ __forceinline__ int first_m() const { return static_cast<int>(blockIdx.z) * Rows; }
    __device__ __forceinline__ int count() const { return At::kRows * min(static_cast<int>(batch.M) - first_m(), Rows); }

    // An element of y, by its number; it may not exist.
    struct Element {
        int row, column;  // of the sums
        int m;
        int64_t n;
        bool exists;
    };
    __device__ __forceinline__ Element element(int at) const {
        const int row = at % At::kRows, column = at / At::kRows;
        // Rows of a warp lie together: in each round its first strips, or the second ones.
        const int of_warp = row / (kStripRows * At::kStripsPerRound), in_warp = row % (kStripRows * At::kStripsPerRound);
        const int64_t n = int64_t{strip + of_warp * kStripsOfUnit} * kStripRows + in_warp;
        return {row, column, first_m() + column, n, n < min(batch.weights.at[i].N, int64_t{last} * kStripRows)};
    }
};

// The sums of this block: to y, or to the block that adds those of all splits, or to the partial sums.
template <class T, int Rows, int Stride>
__device__ __forceinline__ void store_sums(StreamShared<T, Rows, Stride>& shared, const Arguments& arguments,
                                           const Round<Rows>& round) {
    using At = StreamShape<Rows>;
    const MatMul4BitBatch& batch = arguments.batch;
    const Weight4Bit& weight = batch.weights.at[round.i];
    const Depth depth(arguments);
    const float scale = scale_of_table<T>(weight);
#pragma unroll 1
    for (int at = static_cast<int>(threadIdx.x); at < round.count(); at += kStreamThreads) {
        const auto [row, column, m, n, exists] = round.element(at);
        if (!exists) continue;
        float sum = 0;
#pragma unroll
        for (int w = 0; w < At::kDepthWarps; ++w) sum += shared.sums[round.turn % At::kPlaces][w][column][row];
        sum /= scale;
        // Infinite statistics, and sums whose terms overflow but not their products with the statistic.
        if (!(fabsf(sum) < INFINITY)) sum = sum_by_definition<T>(batch, weight, m, n, depth.begin, depth.end);
        if (gridDim.x == 1) store<T>(batch.outputs[round.i], m, n, sum);
        else if (has_clusters(arguments)) hand_over(shared, arguments, round.turn % kHandOvers<Rows>).hand_over(at, sum);
        else
            batch.partials[(static_cast<int64_t>(blockIdx.x) * batch.M + m) * arguments.columns + batch.columns[round.i] + n] = sum;
    }
}

// What this block adds of the sums of its cluster.
template <class T, int Rows, int Stride>
__device__ __forceinline__ void add_sums(StreamShared<T, Rows, Stride>& shared, const Arguments& arguments,
                                         const Round<Rows>& round) {
    const auto& sums = hand_over(shared, arguments, round.turn % kHandOvers<Rows>);
    sums.template for_each_mine<kStreamThreads>(round.count(), [&](unsigned at) {
        const auto element = round.element(static_cast<int>(at));
        if (element.exists) store<T>(arguments.batch.outputs[round.i], element.m, element.n, sums.total(at));
    });
}

// What this warp multiplies of a block's strips and of its part of K.
template <int Rows>
struct Share {
    int depth_warp, row_warp;  // its number among those that share rows, or k
    int begin, end;            // k of the block
    int first_unit, units;     // of the warp

    __device__ __forceinline__ explicit Share(const Arguments& arguments) {
        using At = StreamShape<Rows>;
        // By way of a shuffle the compiler knows that a warp's number, and what follows from it, is the same for all its lanes.
        const int warp = __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / 32, 0);
        depth_warp = warp % At::kDepthWarps, row_warp = warp / At::kDepthWarps;
        const Depth depth(arguments);
        begin = depth.begin, end = depth.end;
        const int of_block = (end - begin + kUnitDepth - 1) / kUnitDepth;
        first_unit = of_block * depth_warp / At::kDepthWarps;
        units = of_block * (depth_warp + 1) / At::kDepthWarps - first_unit;
    }
};

// Brings this warp's first units of the block's strips into the second-level cache. They may still be the result of the kernel
// before: it writes through that cache.
template <int Pairs, int Rows>
__device__ __forceinline__ void prefetch_first(const Arguments& arguments, const Weight4Bit& weight, int64_t first, int64_t last) {
    const Share<Rows> share(arguments);
    const int64_t from = first - weight.first + share.row_warp * Pairs * kStripsOfUnit;
    const int64_t to = min(last - weight.first, from + Pairs * kStripsOfUnit);
    prefetch_units(weight, arguments.batch.weights.K, from * kStripRows, min(to * kStripRows, weight.N),
                   share.begin + share.first_unit * kUnitDepth, share.end);
}

// Multiplies strips [first, last) of weight i, the block's first one or another.
template <StreamKind Kind, class T, int Rows, int Stride>
__device__ __forceinline__ void multiply(StreamShared<T, Rows, Stride>& shared, const Arguments& arguments, int i, int first,
                                         int last, bool is_first) {
    using At = StreamShape<Rows>;
    const MatMul4BitBatch& batch = arguments.batch;
    const Weight4Bit& weight = batch.weights.at[i];
    const Share<Rows> share(arguments);
    const int64_t K = batch.weights.K;
    const int row_warp = share.row_warp, units = share.units;

    // This block has begun, or has read what it was handed of the weight before.
    if (has_clusters(arguments)) {
        __syncwarp();
        if (is_first) ptx::cluster_arrive_relaxed();
        else ptx::cluster_arrive();
    }
    // The first weight's own table is there, and the others' if it is the same.
    const Weight4Bit& before = batch.weights.at[is_first ? i : i - 1];
    const bool has_table = is_first ? weight.custom == nullptr : weight.custom == before.custom && weight.is_fp4 == before.is_fp4;
    if (!has_table) shared.table.template fill<kStreamThreads>(batch.weights, weight);
    constexpr int kBlocks = kBlocksOf<Kind, Rows>;
    StreamUnit<Kind, kBlocks> ring[At::kRing];
    constexpr int kStripsOfWarp = kPairsOf<Kind, Rows, Stride> * kStripsOfUnit;
    StreamPosition<Kind, kBlocks, kPairsOf<Kind, Rows, Stride>> next(weight, K, share.begin + share.first_unit * kUnitDepth,
                                                                     share.end);
    next.seek(first + row_warp * kStripsOfWarp, last - first - row_warp * kStripsOfWarp);
    next.load_first_statistics(ring, units);
    next.template load_first<0>(ring[0], units);
    if constexpr (At::kRing == 2) next.template load_first<1>(ring[1], units);

    if (weight.is_nested) shared.table.template fill_floats<kStreamThreads>(weight.statistics.nested_codebook);
    const int rows = Rows <= 8 ? static_cast<int>(batch.M) : Rows;
    if (is_first) stage_x<T, Rows>(shared.x(), arguments, rows, share.begin, share.end);
    __syncthreads();
    if (has_clusters(arguments)) ptx::cluster_wait();

    // Columns of the product that nobody asked for are the last one's, and are not stored.
    const int column = ptx::lane_id() / 4, t = ptx::lane_id() % 4, row_of_x = min(kBlocks == 2 ? column % 4 : column, rows - 1);
    const int k_of_x =
        share.first_unit * kUnitDepth + (kBlocks == 2 ? column / 4 * 64 : 0) + t * (Kind == StreamKind::kAny ? 4 : 16);
    const StreamMultiplier<Kind, T, Rows, Stride> multiplier{shared, arguments.x_stride,
                                                             weight, weight.is_nested ? *weight.statistics.nested_offset : 0.0f,
                                                             units,  row_of_x * arguments.x_stride + k_of_x * 2,
                                                             last,   shared.of_rows[threadIdx.x / 32]};
    constexpr int kStrips = kStripsOfWarp * At::kRowWarps, kRounds = kStripsOfWarp / At::kStripsPerRound;
    const auto round_of = [&](int turn) {
        const int strip = first + turn / kRounds * kStrips + turn % kRounds * At::kStripsPerRound;
        return Round<Rows>{batch, static_cast<int>(ptx::opaque_here(static_cast<uint32_t>(i))), strip, last, turn};
    };
#pragma unroll 1
    for (int strip = first; strip < last; strip += kStrips) {
        const int lane = ptx::lane_id();
        float totals[kStripsOfWarp][At::kGroups][4] = {};
        const int mine = strip + row_warp * kStripsOfWarp;
        multiplier.run(totals, ring, next, mine, mine + kStrips);
        // Asked for anew where two blocks share a multiprocessor's registers: they are short in the products.
        const int depth_warp = Rows <= 4 ? static_cast<int>(ptx::opaque_here(threadIdx.x)) / 32 : share.depth_warp;
#pragma unroll
        for (int round = 0; round < kRounds; ++round) {
            if (kPairsOf<Kind, Rows, Stride> == 2 && strip + round * At::kStripsPerRound >= last) break;
            const int turn = (strip - first) / kStrips * kRounds + round, place = turn % At::kPlaces;
#pragma unroll
            for (int s = 0; s < At::kStripsPerRound; ++s)
#pragma unroll
                for (int group = 0; group < At::kGroups; ++group)
#pragma unroll
                    for (int e = 0; e < 4; ++e) {
                        const int m = 8 * group + lane % 4 * 2 + (e & 1);
                        const int row = (row_warp * At::kStripsPerRound + s) * kStripRows + lane / 4 + 8 * (e >> 1);
                        float total = totals[round * At::kStripsPerRound + s][group][e];
                        if constexpr (kBlocks == 2) total += __shfl_xor_sync(0xffffffffu, total, 2);
                        if (m < rows) shared.sums[place][depth_warp][m][row] = total;
                    }
            __syncthreads();
            store_sums<T>(shared, arguments, round_of(turn));
            if (has_clusters(arguments)) {
                cluster_meet();
                add_sums<T>(shared, arguments, round_of(turn));
                if constexpr (kHandOvers<Rows> == 1) cluster_meet();  // the place is free when all have read it
            }
            // With two places by turns, what is overwritten next was read before the barrier above.
            if constexpr (At::kPlaces == 1) __syncthreads();
        }
    }
}

// Of all weights together, those of this block. Asked for anew for each weight: registers are short in between.
struct Strips {
    int first, last;

    __device__ __forceinline__ explicit Strips(const Arguments& arguments) {
        const int part = static_cast<int>(ptx::opaque_here(blockIdx.y));
        first = part * arguments.strips + min(part, arguments.longer_parts);
        last = (part + 1) * arguments.strips + min(part + 1, arguments.longer_parts);
    }
};

// The strips of this block, weight by weight.
template <StreamKind Kind, class T, int Rows, int Stride>
__device__ __forceinline__ void multiply_strips(const Arguments& arguments) {
    auto& shared = shared_memory<StreamShared<T, Rows, Stride>>();
    const MatMul4BitBatch& batch = arguments.batch;
    ptx::grid_dependency_launch();
    const Strips of_block(arguments);
    int i = weight_of_tile(batch.weights, of_block.first);
    if (batch.weights.at[i].custom == nullptr) shared.table.template fill<kStreamThreads>(batch.weights, batch.weights.at[i]);
    prefetch_first<kPairsOf<Kind, Rows, Stride>, Rows>(arguments, batch.weights.at[i], of_block.first, of_block.last);
    ptx::grid_dependency_wait();

#pragma unroll 1
    for (; i < batch.weights.count; ++i) {
        const Strips strips(arguments);
        const int begin = static_cast<int>(batch.weights.at[i].first);
        if (begin >= strips.last) break;
        const int end =
            i + 1 < batch.weights.count ? min(strips.last, static_cast<int>(batch.weights.at[i + 1].first)) : strips.last;
        multiply<Kind>(shared, arguments, i, max(strips.first - begin, 0), end - begin, begin <= strips.first);
    }
}

// Blocks: splits of K, by ranges of strips, by 32 rows of x. Ranges and splits are equal but for one.
template <StreamKind Kind, class T, int Rows, int Stride>
__global__ void __launch_bounds__(kStreamThreads, Rows <= 4 && Kind == StreamKind::kPlain ? kBlocksAtOnce : 1)
    matmul_4bit_stream_kernel(const __grid_constant__ Arguments arguments) {
#if defined(__CUDA_ARCH__)
    constexpr bool kIsLarge = __CUDA_ARCH__ == 800 || __CUDA_ARCH__ >= 900;
    constexpr bool kHasType = __CUDA_ARCH__ >= 800 || std::is_same_v<T, __half>;
    if constexpr (!kHasType || (Stride == 256) != kIsLarge) __trap();  // never launched here
    else
#endif
        multiply_strips<Kind, T, Rows, Stride>(arguments);
}

// ---- launching ------------------------------------------------------------------------------------------------------------------

// How many clusters of so many blocks, each with a multiprocessor of its own, run at the same time: those of a cluster are
// neighbours, and the device's neighbourhoods are not always a multiple. The driver takes its time to say so, and is asked once.
cudaError_t clusters_at_once(unsigned blocks, const StreamDevice& device, int64_t* count) {
    static std::atomic<int> known[64][kMostBlocksOfCluster + 1];
    int ordinal = 0, answer = 0;
    cudaError_t status = cudaGetDevice(&ordinal);
    if (status != cudaSuccess) return status;
    std::atomic<int>& slot = known[ordinal % 64][blocks];
    if ((answer = slot.load()) == 0) {
        const Launch at{
            .grid = blocks, .block = kStreamThreads, .shared_bytes = static_cast<size_t>(device.shared_bytes), .cluster = blocks};
        status = clusters_at_once(at, matmul_4bit_stream_kernel<StreamKind::kPlain, __half, 4, 256>, &answer);
        if (status != cudaSuccess) return status;
        slot.store(answer = std::max(answer, 1));
    }
    *count = answer;
    return cudaSuccess;
}

// How many ranges of strips there are.
cudaError_t parts_of(int64_t strips, int64_t M, int64_t K, int64_t splits, const StreamDevice& device, int64_t* parts) {
    int64_t most = device.multiprocessors;
    if (adds_in_cluster(splits, M, K, device)) {
        const cudaError_t status = clusters_at_once(static_cast<unsigned>(splits), device, &most);
        if (status != cudaSuccess) return status;
        most = std::max<int64_t>(1, most / tiles_of_x(M, device));
    }
    *parts = std::clamp<int64_t>(ceil_div(strips, strips_at_a_time(M, device)), 1, most);
    return cudaSuccess;
}

StreamKind kind_of(const Weight4Bit& weight, int64_t K) {
    const auto address = reinterpret_cast<uintptr_t>(weight.statistics.absmax);
    if (K % kUnitDepth == 0 && weight.statistics.shift > 6) return StreamKind::kLarge;
    const bool is_regular = K % kUnitDepth == 0 && weight.statistics.shift == 6 && address % (weight.is_nested ? 2 : 8) == 0 &&
                            (!weight.is_nested || weight.statistics.nested_shift > 0);
    return !is_regular ? StreamKind::kAny : weight.is_nested ? StreamKind::kNested : StreamKind::kPlain;
}

// Weights of one kind have a kernel of their own; others meet in the one for all.
StreamKind kind_of(const Weights4Bit& weights) {
    StreamKind kind = kind_of(weights.at[0], weights.K);
    for (int32_t i = 1; i < weights.count; ++i)
        if (kind_of(weights.at[i], weights.K) != kind) kind = StreamKind::kAny;
    return kind;
}

template <class T, int Rows, int Stride>
cudaError_t run(const Arguments& arguments, int64_t parts, int64_t splits, cudaStream_t stream) {
    const MatMul4BitBatch& batch = arguments.batch;
    const int64_t rows = Rows <= 8 ? batch.M : Rows;
    Launch at{
        .grid = dim3(static_cast<unsigned>(splits), static_cast<unsigned>(parts), static_cast<unsigned>(ceil_div(batch.M, Rows))),
        .block = kStreamThreads,
        .shared_bytes = sizeof(StreamShared<T, Rows, Stride>) + static_cast<size_t>(rows * arguments.x_stride),
        .stream = stream,
        .overlaps_predecessor = true};
    if (arguments.has_clusters) {
        at.shared_bytes += sizeof(HandOver<Rows>[kHandOvers<Rows>]);
        at.cluster = at.grid.x;
    }
    switch (kind_of(batch.weights)) {
        case StreamKind::kPlain:
            return launch(at, matmul_4bit_stream_kernel<StreamKind::kPlain, T, Rows, Stride>, arguments);
        case StreamKind::kNested:
            return launch(at, matmul_4bit_stream_kernel<StreamKind::kNested, T, Rows, Stride>, arguments);
        case StreamKind::kLarge:
            return launch(at, matmul_4bit_stream_kernel<StreamKind::kLarge, T, Rows, Stride>, arguments);
        case StreamKind::kAny:
            return launch(at, matmul_4bit_stream_kernel<StreamKind::kAny, T, Rows, Stride>, arguments);
    }
    return cudaErrorInvalidValue;
}

}  // namespace

// Whether shared memory has room for rows of x of a depth that is worth it.
bool matmul_4bit_stream_can(const MatMul4Bit& op) {
    StreamDevice device;
    return StreamDevice::current(&device) == cudaSuccess && deepest_of(op.M, device) >= std::min<int64_t>(op.K, 512);
}

// From N, K, the device and which power of two M is below.
int64_t matmul_4bit_stream_splits(const MatMul4Bit& op) {
    StreamDevice device;
    if (StreamDevice::current(&device) != cudaSuccess) return 1;
    int64_t strips = 0;
    for (int64_t i = 0; i < op.count; ++i) strips += ceil_div(op.weights[i].N, kStripRows);
    return splits_of_depth(strips, op.M, op.K, device);
}

int64_t matmul_4bit_stream_partials(const MatMul4Bit& op) {
    StreamDevice device;
    const int64_t splits = matmul_4bit_stream_splits(op);
    return StreamDevice::current(&device) != cudaSuccess || adds_in_cluster(splits, op.M, op.K, device) ? 1 : splits;
}

cudaError_t matmul_4bit_stream(const MatMul4BitBatch& batch, cudaStream_t stream) {
    StreamDevice device;
    cudaError_t status = StreamDevice::current(&device);
    if (status != cudaSuccess) return status;
    const int64_t splits = batch.splits, units = ceil_div(batch.weights.K, kUnitDepth);
    int64_t parts = 0;
    status = parts_of(batch.tiles, batch.M, batch.weights.K, splits, device, &parts);
    if (status != cudaSuccess) return status;
    const Arguments arguments{.batch = batch,
                              .columns = columns_of(batch),
                              .strips = static_cast<int32_t>(batch.tiles / parts),
                              .longer_parts = static_cast<int32_t>(batch.tiles % parts),
                              .units = static_cast<int32_t>(units / splits),
                              .deeper_splits = static_cast<int32_t>(units % splits),
                              .x_stride = x_stride_of(ceil_div(units, splits) * kUnitDepth),
                              .x_is_aligned = reinterpret_cast<uintptr_t>(batch.x) % 16 == 0 && batch.ldx % 8 == 0,
                              .has_clusters = adds_in_cluster(splits, batch.M, batch.weights.K, device)};
    status = with_shape(batch.M, device, [&](auto rows, auto stride) {
        return batch.dtype == DType::kFloat16 ? run<__half, rows(), stride()>(arguments, parts, splits, stream)
                                              : run<__nv_bfloat16, rows(), stride()>(arguments, parts, splits, stream);
    });
    return status != cudaSuccess || arguments.has_clusters ? status : add_partials(batch, splits, stream);
}

}  // namespace halfbyte::cuda
