// How K of the streaming 4-bit product (matmul_4bit_stream.cu) is split over blocks, and by which way their sums are added.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "core/formats.h"
#include "cuda/device/cluster_sums.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/stream_multiplier.cuh"
#include "cuda/kernel_choice.h"
#include "cuda/matmul_device.h"
#include "cuda/matmul_partials.h"

namespace halfbyte::cuda {

// What the other blocks of the cluster hand to this one: in two places by turns, or, where sums are many, in one. Behind the rows
// of x.
template <int Rows>
inline constexpr int kHandOvers = Rows <= 16 ? 2 : 1;
template <int Rows>
using HandOver = ClusterSums<Rows * StreamShape<Rows>::kRows>;

// What the device lends to a block, and how many blocks there are room for.
struct StreamDevice {
    int architecture = 0, multiprocessors = 0, shared_bytes = 0;
    bool has_clusters = false;

    static cudaError_t current(StreamDevice* device) {
        int ordinal = 0;
        cudaError_t status = cudaGetDevice(&ordinal);
        if (status == cudaSuccess) status = architecture_of_device(&device->architecture);
        if (status == cudaSuccess)
            status = cudaDeviceGetAttribute(&device->multiprocessors, cudaDevAttrMultiProcessorCount, ordinal);
        if (status == cudaSuccess)
            status = cudaDeviceGetAttribute(&device->shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, ordinal);
        if (status == cudaSuccess) status = runs_hopper_code(&device->has_clusters);
        return status;
    }
    bool has_large_blocks() const { return architecture == 80 || architecture >= 90; }
};

// Calls f(std::integral_constant<int, Rows>, std::integral_constant<int, Stride>) with those of the kernel for M rows of x.
template <class F>
auto with_shape(int64_t M, const StreamDevice& device, const F& f) {
    const auto with_stride = [&](auto rows) {
        return device.has_large_blocks() ? f(rows, std::integral_constant<int, 256>{})
                                         : f(rows, std::integral_constant<int, 128>{});
    };
    if (M <= 4) return with_stride(std::integral_constant<int, 4>{});
    if (M <= 8) return with_stride(std::integral_constant<int, 8>{});
    if (M <= 16) return with_stride(std::integral_constant<int, 16>{});
    return with_stride(std::integral_constant<int, 32>{});
}

inline int64_t strips_at_a_time(int64_t M, const StreamDevice& device) {
    return with_shape(M, device, [](auto rows, auto) { return int64_t{StreamShape<rows()>::kLeastStrips}; });
}
inline int64_t tiles_of_x(int64_t M, const StreamDevice& device) {
    return with_shape(M, device, [&](auto rows, auto) { return ceil_div(M, int64_t{rows()}); });
}

// The deepest part of K whose activations fit a block's shared memory. Their number counts as a power of two, so that the split
// depends on little.
inline int64_t deepest_of(int64_t M, const StreamDevice& device, bool in_cluster = false) {
    return with_shape(M, device, [&](auto rows, auto stride) {
        int64_t room = device.shared_bytes - static_cast<int64_t>(sizeof(StreamShared<__half, rows(), stride()>));
        if (in_cluster) room -= static_cast<int64_t>(sizeof(HandOver<rows()>[kHandOvers<rows()>]));
        const int64_t staged = rows() <= 8 ? static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(M))) : rows();
        return (room / staged - 16) / (2 * kUnitDepth) * kUnitDepth;
    });
}

// Splits that a launch of its own adds: for few rows of x only where 4096 of K are left to each.
inline int64_t splits_to_launch(int64_t strips, int64_t M, int64_t K, const StreamDevice& device, int64_t asked) {
    const int64_t parts = std::clamp<int64_t>(ceil_div(strips, strips_at_a_time(M, device)), 1, device.multiprocessors);
    const int64_t worth = std::max<int64_t>(1, std::min(device.multiprocessors / parts, K / (M <= 8 ? 4096 : 512)));
    const int64_t useful = asked > 0 ? asked : worth;
    const int64_t depth = depth_of_split(K, std::max(useful, ceil_div(K, deepest_of(M, device))), kUnitDepth);
    return ceil_div(K, depth);
}

// Splits that clusters add, a power of two; more than eight are too many for them. What they cost a block are two barriers of the
// cluster and a way through shared memory, 700 clocks of an H200 if each takes a latency of its memory, 230. What they save, in
// the same clocks: 32 rows by 1024 of K are 376 to decode, at best. So K is worth splitting from 4096 on, then as far as every warp
// has a unit, 1024. With more than eight rows of x there is more to save, and warps are fewer along K.
inline int64_t splits_in_cluster(int64_t strips, int64_t M, int64_t K, const StreamDevice& device) {
    const int64_t blocks = std::max<int64_t>(1, device.multiprocessors / tiles_of_x(M, device));
    const int64_t parts = std::clamp<int64_t>(ceil_div(strips, strips_at_a_time(M, device)), 1, blocks);
    const int64_t worth = M > 8 ? K / 512 : K < 4096 ? 1 : K / 1024;
    const int64_t useful = std::clamp<int64_t>(std::min(blocks / parts, worth), 1, kMostBlocksOfCluster);
    const int64_t needed =
        K <= deepest_of(M, device) ? 1 : ceil_div(ceil_div(K, kUnitDepth), deepest_of(M, device, true) / kUnitDepth);
    return std::max(static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(useful))),
                    static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(needed))));
}

inline int64_t splits_of_depth(int64_t strips, int64_t M, int64_t K, const StreamDevice& device) {
    if (M == 0 || K == 0) return 1;
    const int64_t asked = asked_number("stream_splits");
    if (device.has_clusters && asked == 0) {
        const int64_t splits = splits_in_cluster(strips, M, K, device);
        if (splits <= kMostBlocksOfCluster) return splits;
    }
    return splits_to_launch(strips, M, K, device, asked);
}

// Whether so many splits are a cluster. Tests and benchmarks may ask for the other way, as kernel "partials" of "stream_sums".
inline bool adds_in_cluster(int64_t splits, int64_t M, int64_t K, const StreamDevice& device) {
    const int64_t depth = ceil_div(ceil_div(K, kUnitDepth), splits) * kUnitDepth;
    bool was_asked = false;
    return device.has_clusters && may_add_in_cluster(splits) && depth <= deepest_of(M, device, true) &&
           may_run("stream_sums", "cluster", &was_asked);
}

}  // namespace halfbyte::cuda
