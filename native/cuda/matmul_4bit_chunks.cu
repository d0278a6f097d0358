// y = x * W^T + bias by dequantizing a chunk of W's rows into the workspace and multiplying by it, chunk after chunk, for thousands
// of rows of x.
//
// A chunk is at most 24 MB, so that the second-level cache of a large GPU holds it until it has been multiplied, and so does the
// next one in the same place: memory sees the packed bytes and little else. What it costs beyond the product is 2.5625 bytes
// per weight of the cache's traffic, which does not grow with M; what it saves is the decoding that matmul_4bit_wgmma.cu
// does anew for every 256 rows of x. Results are equal to that kernel's, bit for bit, where it does not split K.
#include <algorithm>

#include "core/formats.h"
#include "cuda/chunk_bytes.h"
#include "cuda/kernels.h"
#include "cuda/matmul_16bit.h"
#include "cuda/matmul_4bit.h"
#include "cuda/matmul_wgmma.h"

namespace halfbyte::cuda {
namespace {

// Rows of a chunk: as many tiles of features as the scratch may hold, or the fewer of them that leave the fewest of 132
// multiprocessors without a tile in the last round.
int64_t rows_of_chunk(int64_t M, int64_t K) {
    constexpr int64_t kMultiprocessors = 132;
    const int64_t most = std::max<int64_t>(1, chunk_bytes() / (kMmaTile * K * 2)), tiles_m = ceil_div(M, kMatMul16BitRows);
    const auto busy = [&](int64_t tiles) {
        const int64_t cluster = wgmma_cluster(tiles), blocks = ceil_div(tiles, cluster) * cluster * tiles_m;
        return static_cast<double>(tiles * tiles_m) / static_cast<double>(ceil_div(blocks, kMultiprocessors));
    };
    int64_t best = most;
    for (int64_t tiles = most; tiles > most / 2; --tiles)
        if (busy(tiles) > busy(best)) best = tiles;
    return best * kMmaTile;
}

// The output from a column on.
ProductOutput columns_from(ProductOutput output, int64_t column, DType dtype) {
    output.y = static_cast<char*>(output.y) + column * size_of(dtype);
    if (output.bias != nullptr) output.bias = static_cast<const char*>(output.bias) + column * size_of(output.bias_dtype);
    return output;
}

}  // namespace

int64_t matmul_4bit_chunks_workspace(const MatMul4Bit& op) {
    int64_t rows = 0;
    for (int64_t i = 0; i < op.count; ++i) rows = std::max(rows, op.weights[i].N);
    return std::min(rows, rows_of_chunk(op.M, op.K)) * op.K * size_of(op.dtype);
}

cudaError_t matmul_4bit_chunks(const MatMul4BitBatch& batch, cudaStream_t stream) {
    const int64_t K = batch.weights.K, rows = rows_of_chunk(batch.M, K);
    void* scratch = batch.workspace;
    for (int32_t i = 0; i < batch.weights.count; ++i) {
        const halfbyte_weight_4bit& weight = *batch.sources[i];
        for (int64_t first = 0; first < weight.N; first += rows) {
            const int64_t count = std::min(rows, weight.N - first);
            const Dequantize4Bit dequantize{.weight = weight, .output = scratch, .dtype = batch.dtype};
            cudaError_t status = dequantize_4bit_part(dequantize, first * K, count * K, stream);
            const MatMul16Bit product{.x = batch.x,
                                      .w = scratch,
                                      .dtype = batch.dtype,
                                      .M = batch.M,
                                      .N = count,
                                      .K = K,
                                      .ldx = batch.ldx,
                                      .output = columns_from(batch.outputs[i], first, batch.dtype)};
            if (status == cudaSuccess) status = matmul_16bit_wgmma(product, stream);
            if (status != cudaSuccess) return status;
        }
    }
    return cudaSuccess;
}

}  // namespace halfbyte::cuda
