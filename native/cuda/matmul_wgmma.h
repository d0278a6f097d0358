// How a product on Hopper's tensor cores is cut into tiles, from its shape alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "core/formats.h"
#include "cuda/device/wgmma_tile.cuh"
#include "cuda/kernel_choice.h"
#include "cuda/matmul_partials.h"

namespace halfbyte::cuda {

struct WgmmaPlan {
    int rows = 256;        // of x in a tile: 256, 128 or 64
    unsigned cluster = 1;  // blocks that share x: 1 or 2
    int64_t splits = 1;
};

// The cut that takes the fewest clocks by this reckoning, for 132 multiprocessors with one block each. A step of 64 k takes the
// tensor cores 4 clocks per row of x; narrow tiles wait for their weights' values instead, and wide ones for x, unless two blocks
// share it (matmul_4bit_wgmma.cu has the sums). A tile has a beginning and an end; partial sums are written and read at what the
// second-level cache gives, by another launch. In how many parts K is split does not depend on the cluster.
// Tests and benchmarks may ask for a tile by its rows, as kernel "64" of "wgmma_tile", and for one block or two, as "2" of
// "wgmma_cluster".
inline WgmmaPlan wgmma_plan(int64_t M, int64_t tiles, int64_t K) {
    constexpr int64_t kMultiprocessors = 132, kEnds = 3000, kLaunch = 5000, kBytesPerClock = 2000;
    struct Candidate {
        const char *rows_name, *cluster_name;
        int rows;
        unsigned cluster;
        int64_t clocks;  // of a step
    };
    constexpr Candidate kCandidates[] = {{"256", "2", 256, 2, 1060}, {"256", "1", 256, 1, 1340}, {"128", "2", 128, 2, 600},
                                         {"128", "1", 128, 1, 750},  {"64", "1", 64, 1, 500},    {"64", "2", 64, 2, 500}};
    WgmmaPlan best;
    int64_t fewest = INT64_MAX;
    for (const Candidate& candidate : kCandidates) {
        const int64_t tiles_m = ceil_div(M, candidate.rows), count = tiles * tiles_m, cluster = candidate.cluster;
        bool was_asked = false;
        if (count == 0 || !may_run("wgmma_tile", candidate.rows_name, &was_asked) ||
            !may_run("wgmma_cluster", candidate.cluster_name, &was_asked) || (cluster > tiles && !was_asked))
            continue;
        const int64_t splits =
            2 * count <= kMultiprocessors ? std::max<int64_t>(1, std::min(kMultiprocessors / count, K / 512)) : 1;
        const int64_t blocks = ceil_div(tiles, cluster) * cluster * tiles_m * splits;
        const int64_t steps = ceil_div(ceil_div(K, kWgmmaStep), splits);
        int64_t total = ceil_div(blocks, kMultiprocessors) * (steps * candidate.clocks + kEnds);
        if (splits > 1) total += kLaunch + 2 * splits * M * tiles * kWgmmaFeatures * 4 / kBytesPerClock;
        if (total < fewest) fewest = total, best = {candidate.rows, candidate.cluster, splits};
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
