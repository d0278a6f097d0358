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
    int rows = 256;  // of x in a tile: 256, 128 or 64
    int64_t splits = 1;
};

// The cut that takes the fewest clocks by this reckoning, for 132 multiprocessors with one block each. A step of 64 k takes the
// tensor cores 4 clocks per row of x; narrow tiles wait for their weights' values instead (matmul_4bit_wgmma.cu has the sums). A
// tile has a beginning and an end; partial sums are written and read at what the second-level cache gives, by another launch.
// Tests and benchmarks may ask for a tile by its rows, as kernel "64" of "wgmma_tile".
inline WgmmaPlan wgmma_plan(int64_t M, int64_t tiles, int64_t K) {
    constexpr int64_t kMultiprocessors = 132, kEnds = 3000, kLaunch = 5000, kBytesPerClock = 2000;
    WgmmaPlan best;
    int64_t fewest = INT64_MAX;
    struct Candidate {
        const char* name;
        int rows;
        int64_t clocks;  // of a step
    };
    for (const auto& [name, rows, clocks] : {Candidate{"256", 256, 1060}, Candidate{"128", 128, 600}, Candidate{"64", 64, 500}}) {
        const int64_t count = tiles * ceil_div(M, rows);
        bool was_asked = false;
        if (count == 0 || !may_run("wgmma_tile", name, &was_asked)) continue;
        const int64_t splits =
            2 * count <= kMultiprocessors ? std::max<int64_t>(1, std::min(kMultiprocessors / count, K / 512)) : 1;
        const int64_t steps = ceil_div(ceil_div(K, kWgmmaStep), splits);
        int64_t total = ceil_div(count * splits, kMultiprocessors) * (steps * clocks + kEnds);
        if (splits > 1) total += kLaunch + 2 * splits * M * tiles * kWgmmaFeatures * 4 / kBytesPerClock;
        if (total < fewest) fewest = total, best = {rows, splits};
    }
    return best;
}

}  // namespace halfbyte::cuda
