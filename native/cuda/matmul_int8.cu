// y_i = x * W_i^T + bias_i with int8 weights and outlier columns (LLM.int8()): x is quantized once, into the workspace, then
// multiplied by up to eight weights per launch (matmul_int8_mma.cu). The number of outlier columns stays on the device.
#include "core/formats.h"
#include "cuda/kernels.h"
#include "cuda/matmul_int8.h"
#include "cuda/matmul_partials.h"

namespace halfbyte::cuda {
namespace {

// The workspace: offsets in bytes, each aligned to 64.
struct Layout {
    int64_t absmax, outlier_columns, outlier_count, quantizer, partials, bytes;  // the codes come first
    int64_t splits;
};

Layout layout_of(const MatMulInt8& op) {
    const auto padded = [](int64_t bytes) { return ceil_div(bytes, 64) * 64; };
    const bool has_outliers = op.threshold > 0 && op.K > 0;
    int64_t tiles = 0, columns = 0;
    for (int64_t i = 0; i < op.count; ++i) {
        tiles += ceil_div(op.weights[i].N, kInt8Tile);
        columns += op.weights[i].N;
    }
    Layout at{};
    at.splits = std::max(splits_of(tiles * ceil_div(op.M, op.M <= 16 ? 16 : 64), op.K, 512), ceil_div(op.K, kInt8ExactDepth));
    at.absmax = padded(op.M * op.K);
    at.outlier_columns = at.absmax + padded(op.M * 4);
    at.outlier_count = at.outlier_columns + (has_outliers ? padded(op.K * 8) : 0);
    at.quantizer = at.outlier_count + (has_outliers ? 64 : 0);
    at.partials = at.quantizer + (op.K > 0 ? padded(quantize_int8_rows_workspace(op.M, op.K, op.threshold)) : 0);
    at.bytes = at.partials + (at.splits > 1 ? at.splits * op.M * columns * 4 : 0);
    return at;
}

}  // namespace

int64_t matmul_int8_workspace(const MatMulInt8& op) { return op.M == 0 ? 0 : layout_of(op).bytes; }

cudaError_t matmul_int8(const MatMulInt8& op, cudaStream_t stream) {
    if (op.M == 0) return cudaSuccess;
    const Layout at = layout_of(op);
    auto* workspace = static_cast<char*>(op.workspace);
    auto* codes = reinterpret_cast<int8_t*>(workspace);
    auto* absmax = reinterpret_cast<float*>(workspace + at.absmax);
    const bool has_outliers = op.threshold > 0 && op.K > 0;
    auto* outlier_columns = has_outliers ? reinterpret_cast<int64_t*>(workspace + at.outlier_columns) : nullptr;
    auto* outlier_count = has_outliers ? reinterpret_cast<int64_t*>(workspace + at.outlier_count) : nullptr;
    if (op.K > 0) {
        const cudaError_t status = quantize_int8_rows({op.x, op.dtype, op.M, op.K, op.ldx, op.threshold, codes, absmax,
                                                       outlier_columns, outlier_count, workspace + at.quantizer},
                                                      stream);
        if (status != cudaSuccess) return status;
    }
    for (int64_t i = 0; i < op.count;) {
        MatMulInt8Batch batch{.dtype = op.dtype,
                              .M = op.M,
                              .K = op.K,
                              .codes = codes,
                              .absmax = absmax,
                              .outlier_columns = outlier_columns,
                              .outlier_count = outlier_count,
                              .x = op.x,
                              .ldx = op.ldx,
                              .partials = reinterpret_cast<int32_t*>(workspace + at.partials)};
        batch.depth = std::max<int64_t>(kStageBytes, depth_of_split(op.K, at.splits, kStageBytes));
        batch.splits = std::max<int64_t>(1, ceil_div(op.K, batch.depth));
        for (; i < op.count && batch.count < kInt8WeightsPerLaunch; ++i) {
            const halfbyte_weight_int8& weight = op.weights[i];
            if (weight.N == 0) continue;
            const bool is_aligned = op.K % 16 == 0 && reinterpret_cast<uintptr_t>(weight.codes) % 16 == 0;
            batch.at[batch.count++] = {static_cast<const int8_t*>(weight.codes),
                                       static_cast<const float*>(weight.absmax),
                                       weight.N,
                                       batch.tiles,
                                       batch.columns,
                                       product_output(op.outputs[i]),
                                       is_aligned};
            batch.tiles += ceil_div(weight.N, kInt8Tile);
            batch.columns += weight.N;
        }
        if (batch.count == 0) return cudaSuccess;
        const cudaError_t status = matmul_int8_mma(batch, stream);
        if (status != cudaSuccess) return status;
    }
    return cudaSuccess;
}

}  // namespace halfbyte::cuda
