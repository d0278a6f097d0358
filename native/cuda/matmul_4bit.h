// The kernels of y_i = x * W_i^T + bias_i with 4-bit weights. Which one takes what is the table in matmul_4bit.cu.
//
//   stream   16-bit x of up to 64 rows, K a multiple of 16   tensor cores, at the memory's speed   matmul_4bit_stream.cu
//   rows     any type; few rows of x                         one warp per row of W                 matmul_4bit_rows.cu
//   wgmma    16-bit x, K a multiple of 16                    Hopper's tensor cores                 matmul_4bit_wgmma.cu
//   chunks   as wgmma                                        dequantized, then a dense product     matmul_4bit_chunks.cu
//   mma      16-bit x, K a multiple of 16                    tensor cores                          matmul_4bit_mma.cu
//   tile     everything                                      64 x 64 tiles in float32              matmul_4bit_tile.cu
#pragma once

#include <cuda_runtime.h>

#include "core/operations.h"
#include "cuda/device/product_output.cuh"
#include "cuda/device/weights_4bit.cuh"

namespace halfbyte::cuda {

// One launch: up to kWeightsPerLaunch weights and where their products go.
struct MatMul4BitBatch {
    Weights4Bit weights;
    ProductOutput outputs[kWeightsPerLaunch]{};
    const void* x = nullptr;
    DType dtype{};
    int64_t M = 0;
    int64_t ldx = 0;
    int64_t tiles = 0;  // of all weights, as `first` of each counts them

    // K split over blocks, for kernels that can; partial sums are float [splits, M, columns].
    int64_t splits = 1;
    int64_t columns[kWeightsPerLaunch]{};  // where each product begins among them
    float* partials = nullptr;

    // For kernels that run others: the weights as the caller described them, and the workspace.
    const halfbyte_weight_4bit* sources[kWeightsPerLaunch]{};
    void* workspace = nullptr;

    explicit MatMul4BitBatch(const MatMul4Bit& op)
        : weights(op.K),
          x(op.x),
          dtype(op.dtype),
          M(op.M),
          ldx(op.ldx),
          partials(static_cast<float*>(op.workspace)),
          workspace(op.workspace) {}
};

// All columns of a launch's partial sums.
int64_t columns_of(const MatMul4BitBatch& batch);
// Makes the products of a launch from its partial sums; nothing if there is one split, which has stored them itself.
cudaError_t add_partials(const MatMul4BitBatch& batch, int64_t splits, cudaStream_t stream);

// How many rows of a weight a tile of each kernel has.
inline constexpr int64_t kStreamTile = 16, kRowsTile = 8, kMmaTile = 128, kFp32TileRows = 64;

inline constexpr int64_t kStreamMost = 64;     // rows of x it takes
inline constexpr int64_t kStreamTileOfX = 32;  // in tiles of so many, if there are more than 16
inline constexpr int64_t kRowsMost = 4;        // rows of x that one warp multiplies by at a time

cudaError_t matmul_4bit_stream(const MatMul4BitBatch& batch, cudaStream_t stream);
bool matmul_4bit_stream_can(const MatMul4Bit& op);
int64_t matmul_4bit_stream_splits(const MatMul4Bit& op);
int64_t matmul_4bit_stream_partials(const MatMul4Bit& op);  // of these, how many go to the workspace: 1 if none does
cudaError_t matmul_4bit_rows(const MatMul4BitBatch& batch, cudaStream_t stream);
cudaError_t matmul_4bit_mma(const MatMul4BitBatch& batch, cudaStream_t stream);
int64_t matmul_4bit_mma_splits(const MatMul4Bit& op);
cudaError_t matmul_4bit_wgmma(const MatMul4BitBatch& batch, cudaStream_t stream);
int64_t matmul_4bit_wgmma_splits(const MatMul4Bit& op);
int64_t matmul_4bit_wgmma_partials(const MatMul4Bit& op);  // as of stream
cudaError_t matmul_4bit_chunks(const MatMul4BitBatch& batch, cudaStream_t stream);
int64_t matmul_4bit_chunks_workspace(const MatMul4Bit& op);
cudaError_t matmul_4bit_tile(const MatMul4BitBatch& batch, cudaStream_t stream);

}  // namespace halfbyte::cuda
