// y_i = x * W_i^T + bias_i with 4-bit weights: which kernel multiplies what (matmul_4bit.h), in launches of up to eight weights.
#include "core/formats.h"
#include "cuda/kernels.h"
#include "cuda/matmul_4bit.h"
#include "cuda/matmul_device.h"
#include "cuda/matmul_partials.h"

namespace halfbyte::cuda {
namespace {

struct Kernel {
    cudaError_t (*run)(const MatMul4BitBatch&, cudaStream_t);
    int64_t rows_of_tile;
};
constexpr Kernel kRows{matmul_4bit_rows, kRowsTile}, kMma{matmul_4bit_mma, kMmaTile}, kTile{matmul_4bit_tile, kFp32TileRows};

// Whether tensor cores can take the shape at all.
bool is_for_mma(const MatMul4Bit& op) { return op.dtype != DType::kFloat32 && op.K > 0 && op.K % 32 == 0 && op.M > kRowsMost; }

Kernel kernel_for(const MatMul4Bit& op, const halfbyte_weight_4bit& weight, int architecture) {
    if (op.M <= kRowsMost) return kRows;
    const bool has_type = architecture >= 80 || op.dtype == DType::kFloat16;  // sm_75 multiplies no bfloat16
    const bool is_aligned = reinterpret_cast<uintptr_t>(weight.packed) % 4 == 0;
    // The caller's own table may hold values that planes of float16 cannot.
    return is_for_mma(op) && has_type && is_aligned && weight.codebook == nullptr ? kMma : kTile;
}

// The split of K: by shapes alone, so that the workspace is known before any pointer.
int64_t splits(const MatMul4Bit& op) {
    if (!is_for_mma(op)) return 1;
    int64_t tiles = 0;
    for (int64_t i = 0; i < op.count; ++i) tiles += ceil_div(op.weights[i].N, kMmaTile);
    return splits_of(tiles * ceil_div(op.M, op.M <= 16 ? 16 : 64), op.K, 512);
}

// The products that `kernel` takes, eight at a time.
cudaError_t run(const MatMul4Bit& op, const Kernel& kernel, int architecture, cudaStream_t stream) {
    for (int64_t i = 0; i < op.count;) {
        MatMul4BitBatch batch(op);
        batch.splits = splits(op);
        int64_t columns = 0;
        for (; i < op.count && batch.weights.count < kWeightsPerLaunch; ++i) {
            const halfbyte_weight_4bit& weight = op.weights[i];
            if (weight.N == 0 || kernel_for(op, weight, architecture).run != kernel.run) continue;
            batch.outputs[batch.weights.count] = product_output(op.outputs[i]);
            batch.columns[batch.weights.count] = columns;
            batch.weights.add(weight, batch.tiles);
            batch.tiles += ceil_div(weight.N, kernel.rows_of_tile);
            columns += weight.N;
        }
        if (batch.weights.count == 0) return cudaSuccess;
        const cudaError_t status = kernel.run(batch, stream);
        if (status != cudaSuccess) return status;
    }
    return cudaSuccess;
}

}  // namespace

int64_t matmul_4bit_workspace(const MatMul4Bit& op) {
    const int64_t parts = splits(op);
    if (parts == 1) return 0;
    int64_t columns = 0;
    for (int64_t i = 0; i < op.count; ++i) columns += op.weights[i].N;
    return parts * op.M * columns * static_cast<int64_t>(sizeof(float));
}

cudaError_t matmul_4bit(const MatMul4Bit& op, cudaStream_t stream) {
    if (op.M == 0) return cudaSuccess;
    int architecture = 0;
    cudaError_t status = architecture_of_device(&architecture);
    for (const Kernel& kernel : {kRows, kMma, kTile})
        if (status == cudaSuccess) status = run(op, kernel, architecture, stream);
    return status;
}

}  // namespace halfbyte::cuda
