// dx = sum over i of dy_i * W_i with 4-bit weights: which kernel multiplies what (matmul_transposed.h).
#include <algorithm>

#include "cuda/device/grid.cuh"
#include "cuda/kernel_choice.h"
#include "cuda/kernels.h"
#include "cuda/matmul_device.h"
#include "cuda/matmul_transposed.h"
#include "cuda/matmul_transposed_parts.h"
#include "cuda/tensor_map.h"

namespace halfbyte::cuda {
namespace {

struct Kernel {
    const char* name;
    bool (*can)(const MatMul4BitTransposed& op, int architecture);  // multiply this shape on this device
    int64_t fewest_rows;                                            // of dy, from which on it is better than the rows below
    bool (*takes)(const MatMul4BitTransposed& op);                  // these weights and gradients, where they lie
    TransposedTiling (*tiling)(int64_t M);
    cudaError_t (*run)(const Transposed4BitBatch& batch, cudaStream_t stream);
};

bool anywhere(const MatMul4BitTransposed&) { return true; }

// The kernel's positions are of 32 bits, TMA's too.
bool wgmma_can(const MatMul4BitTransposed& op, int architecture) {
    return op.dtype != DType::kFloat32 && architecture == 90 && op.K % 8 == 0 && op.K < 1 << 30;
}

// TMA reads dy; codes are read by words.
bool wgmma_takes(const MatMul4BitTransposed& op) {
    for (int64_t i = 0; i < op.count; ++i) {
        const halfbyte_weight_4bit& weight = op.weights[i];
        const halfbyte_gradient& gradient = op.gradients[i];
        if (weight.N > 0 && !(is_aligned(weight.packed, 4) && has_tensor_map(gradient.dy, op.M, weight.N, gradient.lddy)))
            return false;
    }
    return true;
}

// sm_75 multiplies no bfloat16 on its tensor cores. The kernel counts the bytes of a row of dy in 31 bits.
bool mma_can(const MatMul4BitTransposed& op, int architecture) {
    for (int64_t i = 0; i < op.count; ++i)
        if (op.weights[i].N >= 1 << 29) return false;
    return op.dtype == DType::kFloat16 || (op.dtype == DType::kBFloat16 && architecture >= 80);
}

// From the first row down: the first that can, has rows enough and takes all weights.
const Kernel kKernels[] = {
    // Up to 64 rows both are bound by decoding, at 17 weights a clock and multiprocessor. With up to 16 mma has few products, and
    // its smaller tiles fill the GPU with fewer parts to add. Beyond, they take issue slots from its decoding: 64 rows cost
    // mma.sync a clock for 16 weights, as much again. wgmma's run beside it.
    {.name = "wgmma",
     .can = wgmma_can,
     .fewest_rows = 17,
     .takes = wgmma_takes,
     .tiling = matmul_4bit_transposed_wgmma_tiling,
     .run = matmul_4bit_transposed_wgmma},
    {.name = "mma",
     .can = mma_can,
     .fewest_rows = 0,
     .takes = anywhere,
     .tiling = [](int64_t M) { return TransposedTiling{.rows = matmul_4bit_transposed_mma_rows(M)}; },
     .run = matmul_4bit_transposed_mma},
    {.name = "tile",
     .can = [](const MatMul4BitTransposed&, int) { return true; },
     .fewest_rows = 0,
     .takes = anywhere,
     .tiling = [](int64_t) { return TransposedTiling{}; },
     .run = matmul_4bit_transposed_tile},
};

// Whether a row of the table may multiply the shape.
bool fits(const Kernel& kernel, const MatMul4BitTransposed& op, int architecture) {
    bool was_asked = false;
    return may_run("matmul_4bit_transposed", kernel.name, &was_asked) && kernel.can(op, architecture) &&
           (was_asked || op.M >= kernel.fewest_rows);
}

}  // namespace

// Which weight and gradient lies where is not known yet: enough for every row that may multiply the shape.
int64_t matmul_4bit_transposed_workspace(const MatMul4BitTransposed& op) {
    int architecture = 0;
    if (architecture_of_device(&architecture) != cudaSuccess) return 0;  // the product will say so
    int64_t bytes = 0;
    for (const Kernel& kernel : kKernels)
        if (fits(kernel, op, architecture)) bytes = std::max(bytes, transposed_workspace(op, kernel.tiling(op.M)));
    return bytes;
}

cudaError_t matmul_4bit_transposed(const MatMul4BitTransposed& op, cudaStream_t stream) {
    if (op.M == 0 || op.K == 0) return cudaSuccess;
    int architecture = 0;
    const cudaError_t status = architecture_of_device(&architecture);
    if (status != cudaSuccess) return status;
    for (const Kernel& kernel : kKernels)
        if (fits(kernel, op, architecture) && kernel.takes(op)) return run_transposed(op, kernel.run, kernel.tiling(op.M), stream);
    return cudaErrorNotSupported;
}

}  // namespace halfbyte::cuda
