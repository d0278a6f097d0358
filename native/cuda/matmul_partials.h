// Products whose depth is split over blocks: partial sums in the workspace, and the launch that adds them in order.
//
// The split depends on shapes alone, and the order of the sum on nothing, so results are the same from run to run.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>

#include "core/formats.h"
#include "core/operations.h"
#include "cuda/device/product_output.cuh"

namespace halfbyte::cuda {

// In how many parts to cut `depth` so that `tiles` blocks become enough to fill a large GPU of 132 multiprocessors, with no part
// below `least` deep.
inline int64_t splits_of(int64_t tiles, int64_t depth, int64_t least, int64_t blocks_per_multiprocessor = 2) {
    if (tiles == 0) return 1;
    return std::max<int64_t>(1, std::min(132 * blocks_per_multiprocessor / tiles, depth / least));
}

// The depth of each part: the same for all but the last, and a multiple of `step`.
inline int64_t depth_of_split(int64_t depth, int64_t splits, int64_t step) {
    return ceil_div(ceil_div(depth, splits), step) * step;
}

// Matrices that lie side by side in the partial sums: float [splits, M, columns].
struct Partials {
    static constexpr int kMost = 8;
    struct Matrix {
        ProductOutput output;
        int64_t first;  // column
    };
    const float* sums;
    int64_t splits, M, columns;
    int32_t count;
    Matrix at[kMost];
};

// y[m, n] = sum over splits, in order, + bias[n], rounded once.
cudaError_t add_partials(const Partials& partials, DType dtype, cudaStream_t stream);

}  // namespace halfbyte::cuda
