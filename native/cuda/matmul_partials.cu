// y[m, n] = (sum over s of sums[s, m, first + n]) + bias[n]: the end of a product that was split in depth.
//
// One thread per element; consecutive threads take consecutive columns, and add the splits in ascending order.
// Bytes per element: 4 per split read, 2 or 4 written. It is short, so it is on its way before the product ends, and waits for it.
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/weights_4bit.cuh"
#include "cuda/matmul_partials.h"

namespace halfbyte::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads) add_partials_kernel(const __grid_constant__ Partials partials) {
    ptx::grid_dependency_launch();
    const int64_t element = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    ptx::grid_dependency_wait();
    if (element >= partials.M * partials.columns) return;
    const int64_t m = element / partials.columns, column = element % partials.columns;
    float sum = 0.0f;
    for (int64_t s = 0; s < partials.splits; ++s) sum += partials.sums[(s * partials.M + m) * partials.columns + column];
    const Partials::Matrix& matrix = partials.at[weight_of_tile(partials, column)];
    store<T>(matrix.output, m, column - matrix.first, sum);
}

}  // namespace

cudaError_t add_partials(const Partials& partials, DType dtype, cudaStream_t stream) {
    if (partials.M * partials.columns == 0) return cudaSuccess;
    const Launch at{.grid = static_cast<unsigned>(ceil_div(partials.M * partials.columns, kThreads)),
                    .block = kThreads,
                    .stream = stream,
                    .overlaps_predecessor = true};
    switch (dtype) {
        case DType::kFloat32:
            return launch(at, add_partials_kernel<float>, partials);
        case DType::kFloat16:
            return launch(at, add_partials_kernel<__half>, partials);
        case DType::kBFloat16:
            return launch(at, add_partials_kernel<__nv_bfloat16>, partials);
    }
    return cudaErrorInvalidValue;
}

}  // namespace halfbyte::cuda
