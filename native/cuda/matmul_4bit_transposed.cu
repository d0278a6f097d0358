// dx = sum over i of dy_i * W_i with 4-bit weights: which kernel multiplies what (matmul_transposed.h).
#include "cuda/kernel_choice.h"
#include "cuda/kernels.h"
#include "cuda/matmul_device.h"
#include "cuda/matmul_transposed.h"
#include "cuda/matmul_transposed_parts.h"

namespace halfbyte::cuda {
namespace {

struct Kernel {
    const char* name;
    bool (*can)(const MatMul4BitTransposed& op, int architecture);  // multiply this shape on this device
    int64_t (*rows_of_tile)(int64_t M);                             // of dx
    cudaError_t (*run)(const Transposed4BitBatch& batch, cudaStream_t stream);
};

// sm_75 multiplies no bfloat16 on its tensor cores. The kernel counts the bytes of a row of dy in 31 bits.
bool mma_can(const MatMul4BitTransposed& op, int architecture) {
    for (int64_t i = 0; i < op.count; ++i)
        if (op.weights[i].N >= 1 << 29) return false;
    return op.dtype == DType::kFloat16 || (op.dtype == DType::kBFloat16 && architecture >= 80);
}

// From the first row down: the first that can.
const Kernel kKernels[] = {
    {.name = "mma", .can = mma_can, .rows_of_tile = matmul_4bit_transposed_mma_rows, .run = matmul_4bit_transposed_mma},
    {.name = "tile",
     .can = [](const MatMul4BitTransposed&, int) { return true; },
     .rows_of_tile = [](int64_t) -> int64_t { return kTransposedRows; },
     .run = matmul_4bit_transposed_tile},
};

// Null where the kernel that was asked for cannot.
const Kernel* kernel_for(const MatMul4BitTransposed& op, int architecture) {
    bool was_asked = false;
    for (const Kernel& kernel : kKernels)
        if (may_run("matmul_4bit_transposed", kernel.name, &was_asked) && kernel.can(op, architecture)) return &kernel;
    return nullptr;
}

}  // namespace

int64_t matmul_4bit_transposed_workspace(const MatMul4BitTransposed& op) {
    int architecture = 0;
    if (architecture_of_device(&architecture) != cudaSuccess) return 0;  // the product will say so
    const Kernel* kernel = kernel_for(op, architecture);
    return kernel == nullptr ? 0 : transposed_workspace(op, kernel->rows_of_tile(op.M));
}

cudaError_t matmul_4bit_transposed(const MatMul4BitTransposed& op, cudaStream_t stream) {
    if (op.M == 0 || op.K == 0) return cudaSuccess;
    int architecture = 0;
    const cudaError_t status = architecture_of_device(&architecture);
    if (status != cudaSuccess) return status;
    const Kernel* kernel = kernel_for(op, architecture);
    if (kernel == nullptr) return cudaErrorNotSupported;
    return run_transposed(op, kernel->run, kernel->rows_of_tile(op.M), stream);
}

}  // namespace halfbyte::cuda
