// dx = sum over i of dy_i * W_i: how it is cut into launches and parts. Weight is halfbyte_weight_4bit or halfbyte_weight_int8.
//
// A launch sums over up to kWeightsPerLaunch weights; where tiles of dx are few, its depth, the rows of the weights, is split
// over blocks. All parts but an only one go to the workspace as float32 and are added in order (matmul_partials.h), so that dx is
// rounded once and never depends on the order in which blocks run. The cut depends on shapes alone.
#pragma once

#include <algorithm>

#include "core/formats.h"
#include "cuda/matmul_partials.h"
#include "cuda/matmul_transposed.h"

namespace halfbyte::cuda {

struct TransposedCut {
    int64_t launches, splits, depth, parts;
};

template <class Weight>
TransposedCut cut_transposed(const MatMulTransposed<Weight>& op, const TransposedTiling& tiling) {
    constexpr int64_t kLeast = 256;
    int64_t weights = 0, deepest = 0;
    for (int64_t i = 0; i < op.count; ++i) {
        weights += op.weights[i].N > 0;
        deepest = std::max(deepest, op.weights[i].N);
    }
    TransposedCut cut{};
    cut.launches = std::max<int64_t>(1, ceil_div(weights, kWeightsPerLaunch));
    const int64_t tiles = ceil_div(op.M, tiling.rows) * ceil_div(op.K, tiling.columns);
    const int64_t splits = splits_of(tiles, deepest, kLeast, tiling.blocks_per_multiprocessor);
    cut.depth = std::max(tiling.step, depth_of_split(deepest, splits, tiling.step));
    cut.splits = std::max<int64_t>(1, ceil_div(deepest, cut.depth));
    cut.parts = cut.launches * cut.splits;
    return cut;
}

template <class Weight>
int64_t transposed_workspace(const MatMulTransposed<Weight>& op, const TransposedTiling& tiling) {
    const int64_t parts = cut_transposed(op, tiling).parts;
    return parts > 1 ? parts * op.M * op.K * static_cast<int64_t>(sizeof(float)) : 0;
}

template <class Weights, class Weight>
cudaError_t run_transposed(const MatMulTransposed<Weight>& op, cudaError_t (*run)(const TransposedBatch<Weights>&, cudaStream_t),
                           const TransposedTiling& tiling, cudaStream_t stream) {
    const TransposedCut cut = cut_transposed(op, tiling);
    const ProductOutput dx{op.dx, op.lddx, nullptr, DType::kFloat32};
    auto* partials = cut.parts > 1 ? static_cast<float*>(op.workspace) : nullptr;
    int64_t i = 0;
    for (int64_t launch = 0; launch < cut.launches; ++launch) {
        TransposedBatch<Weights> batch(op.K);
        batch.dtype = op.dtype;
        batch.M = op.M;
        batch.dx = dx;
        batch.splits = cut.splits;
        batch.depth = cut.depth;
        batch.first_part = launch * cut.splits;
        batch.partials = partials;
        for (; i < op.count && batch.weights.count < kWeightsPerLaunch; ++i) {
            if (op.weights[i].N == 0) continue;
            batch.gradients[batch.weights.count] = {op.gradients[i].dy, op.gradients[i].lddy};
            batch.weights.add(op.weights[i], 0);
        }
        const cudaError_t status = run(batch, stream);
        if (status != cudaSuccess) return status;
    }
    if (partials == nullptr) return cudaSuccess;
    return add_partials({partials, cut.parts, op.M, op.K, 1, {{dx, 0}}}, op.dtype, stream);
}

}  // namespace halfbyte::cuda
