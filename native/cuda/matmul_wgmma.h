// How a product on Hopper's tensor cores is cut into tiles, from its shape alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "core/formats.h"
#include "cuda/device/wgmma_sums.cuh"
#include "cuda/kernel_choice.h"
#include "cuda/matmul_partials.h"

namespace halfbyte::cuda {

struct WgmmaPlan {
    int rows = 256;         // of x in a tile: 256, 128 or 64
    unsigned together = 1;  // blocks that share x: 1 or 2
    int64_t splits = 1;     // of K
};

// Whether so many splits are blocks of a cluster, which adds their sums.
inline bool wgmma_adds_in_cluster(int64_t splits) {
    bool was_asked = false;
    return may_add_in_cluster(splits) && may_run("wgmma_sums", "cluster", &was_asked);
}

// The cut that takes the fewest clocks by this reckoning, for 132 multiprocessors with one block each. A step of 64 k takes the
// tensor cores 4 clocks per row of x; narrow tiles wait for their weights' values instead, and wide ones for x, unless two blocks
// share it (matmul_4bit_wgmma.cu has the sums). A tile has a beginning and an end. Sums of split tiles are read by the blocks of a
// cluster from each other, at some 32 bytes a clock, and a device's neighbourhoods hold 128 blocks of such clusters; or partial
// sums are written and read at what the second-level cache gives, by another launch. With `splits` only cuts of K into as many.
// Tests and benchmarks may ask for a tile by its rows, as kernel "64" of "wgmma_tile", for one block or two that share x, as "2" of
// "wgmma_cluster", and for partial sums, as "partials" of "wgmma_sums".
inline WgmmaPlan wgmma_plan(int64_t M, int64_t tiles, int64_t K, int64_t splits = 0) {
    constexpr int64_t kMultiprocessors = 132, kInClusters = 128, kEnds = 3000, kMeet = 1000, kLaunch = 5000, kBytesPerClock = 2000;
    struct Candidate {
        const char *rows_name, *together_name;
        int rows;
        unsigned together;
        int64_t clocks;  // of a step
    };
    constexpr Candidate kCandidates[] = {{"256", "2", 256, 2, 1060}, {"256", "1", 256, 1, 1340}, {"128", "2", 128, 2, 600},
                                         {"128", "1", 128, 1, 750},  {"64", "1", 64, 1, 580},    {"64", "2", 64, 2, 580}};
    WgmmaPlan best;
    int64_t fewest = INT64_MAX;
    const auto consider = [&](const Candidate& candidate, int64_t parts) {
        const int64_t tiles_m = ceil_div(M, candidate.rows), together = candidate.together;
        const bool in_cluster = wgmma_adds_in_cluster(parts);
        if (in_cluster && parts * together > kMostBlocksOfCluster) return;
        const int64_t blocks = ceil_div(tiles, together) * together * tiles_m * parts;
        const int64_t steps = ceil_div(ceil_div(K, kWgmmaStep), parts);
        int64_t total = ceil_div(blocks, in_cluster ? kInClusters : kMultiprocessors) * (steps * candidate.clocks + kEnds);
        if (in_cluster) total += kMeet + candidate.rows * kWgmmaFeatures * 4 / 32;
        else if (parts > 1) total += kLaunch + 2 * parts * M * tiles * kWgmmaFeatures * 4 / kBytesPerClock;
        if (total < fewest) fewest = total, best = {candidate.rows, candidate.together, parts};
    };
    for (const Candidate& candidate : kCandidates) {
        const int64_t count = tiles * ceil_div(M, candidate.rows);
        bool was_asked = false;
        if (count == 0 || !may_run("wgmma_tile", candidate.rows_name, &was_asked) ||
            !may_run("wgmma_cluster", candidate.together_name, &was_asked) || (candidate.together > tiles && !was_asked))
            continue;
        const int64_t most = 2 * count <= kMultiprocessors ? std::max<int64_t>(1, std::min(kMultiprocessors / count, K / 512)) : 1;
        consider(candidate, splits > 0 ? splits : most);
        for (int64_t parts = 2; splits == 0 && parts <= most; parts *= 2)
            if (wgmma_adds_in_cluster(parts)) consider(candidate, parts);
    }
    return best;
}

// Blocks of a cluster where every tile has 256 rows of x.
inline unsigned wgmma_cluster(int64_t tiles) {
    bool was_asked = false;
    const bool may_be_two = may_run("wgmma_cluster", "2", &was_asked);
    return may_be_two && (was_asked || tiles > 1) ? 2 : 1;
}

}  // namespace halfbyte::cuda
