// fill_normal: output[i] = deviation * z_i, where z_2j and z_2j+1 come from two hashes of (seed, j) by Box and Muller.
//
// A thread makes pairs, a grid apart. It runs before anything is measured.
#include "cuda/device/element.cuh"
#include "cuda/device/grid.cuh"
#include "cuda/device/launch.cuh"
#include "fill.h"

namespace halfbyte::benchmark {
namespace {

constexpr int kThreads = 256;

// SplitMix64 (Steele, Lea, Flood, 2014): the output of state `seed` after `index` steps.
__device__ __forceinline__ uint64_t hash(uint64_t seed, uint64_t index) {
    uint64_t z = seed * 0xd1342543de82ef95u + (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    fill_kernel(T* output, int64_t n, uint64_t seed, float deviation, int64_t row, int64_t outlier_stride) {
    const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    for (int64_t pair = first; 2 * pair < n; pair += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const uint64_t bits = hash(seed, static_cast<uint64_t>(pair));
        const float u = (static_cast<float>(bits >> 40) + 1.0f) * 0x1p-24f, angle = static_cast<float>(bits & 0xffffff) * 0x1p-24f;
        const float radius = deviation * sqrtf(-2.0f * logf(u));
        const float z[2] = {radius * cosf(6.2831853f * angle), radius * sinf(6.2831853f * angle)};
        for (int j = 0; j < 2; ++j) {
            const int64_t i = 2 * pair + j;
            if (i >= n) break;
            const bool is_large = outlier_stride > 0 && i % row % outlier_stride == 0;
            output[i] = cuda::from_float<T>(is_large ? 10.0f * z[j] : z[j]);
        }
    }
}

template <class T>
cudaError_t fill(void* output, int64_t n, uint64_t seed, float deviation, int64_t row, int64_t outlier_stride,
                 cudaStream_t stream) {
    cuda::Launch at{.block = dim3(kThreads), .stream = stream};
    const cudaError_t status = cuda::persistent_grid((n / 2 + kThreads) / kThreads, 8, &at.grid);
    if (status != cudaSuccess) return status;
    return cuda::launch(at, fill_kernel<T>, static_cast<T*>(output), n, seed, deviation, row, outlier_stride);
}

}  // namespace

cudaError_t fill_normal(void* output, Element element, int64_t n, uint64_t seed, float deviation, int64_t row,
                        int64_t outlier_stride, cudaStream_t stream) {
    switch (element) {
        case Element::kFloat32:
            return fill<float>(output, n, seed, deviation, row, outlier_stride, stream);
        case Element::kFloat16:
            return fill<__half>(output, n, seed, deviation, row, outlier_stride, stream);
        case Element::kBFloat16:
            return fill<__nv_bfloat16>(output, n, seed, deviation, row, outlier_stride, stream);
    }
    return cudaErrorInvalidValue;
}

}  // namespace halfbyte::benchmark
