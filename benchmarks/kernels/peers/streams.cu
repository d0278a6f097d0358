// read_stream: one word from all 16-byte words; copy_stream: destination = source.
//
// A thread takes kRuns words, a block's width apart, and has all their loads in flight before it uses the first; a block walks on
// by the grid, which fills the device once. Bytes: 16 per word read, copy 32. They aim at the memory's rate, and are the yardstick
// for the rest.
#include "cuda/device/grid.cuh"
#include "cuda/device/launch.cuh"
#include "peers/streams.h"

namespace halfbyte::benchmark {
namespace {

constexpr int kThreads = 512;
constexpr int kRuns = 4;
constexpr int kBlocksPerMultiprocessor = 4;  // 2048 threads

template <class Use>
__device__ __forceinline__ void for_each_word(const uint4* __restrict__ data, int64_t words, Use use) {
    constexpr int64_t kTile = int64_t{kThreads} * kRuns;
    const int64_t tiles = words / kTile;
    for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const int64_t first = tile * kTile + threadIdx.x;
        uint4 word[kRuns];
#pragma unroll
        for (int r = 0; r < kRuns; ++r) word[r] = data[first + r * kThreads];
#pragma unroll
        for (int r = 0; r < kRuns; ++r) use(first + r * kThreads, word[r]);
    }
    for (int64_t i = tiles * kTile + static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < words;
         i += static_cast<int64_t>(gridDim.x) * kThreads)
        use(i, data[i]);
}

__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    read_kernel(const uint4* __restrict__ data, int64_t words, uint32_t* sink) {
    uint32_t sum = 0;
    for_each_word(data, words, [&](int64_t, uint4 word) { sum ^= (word.x + word.y) ^ (word.z + word.w); });
    if (sum == 0x9e3779b9u) *sink = sum;  // which the compiler must expect, so that it keeps the loads
}

__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    copy_kernel(uint4* __restrict__ destination, const uint4* __restrict__ source, int64_t words) {
    for_each_word(source, words, [&](int64_t i, uint4 word) { destination[i] = word; });
}

cuda::Launch full_device(int64_t words, cudaStream_t stream, cudaError_t* status) {
    cuda::Launch at{.block = dim3(kThreads), .stream = stream};
    *status = cuda::persistent_grid((words + kThreads * kRuns - 1) / (kThreads * kRuns), kBlocksPerMultiprocessor, &at.grid);
    return at;
}

}  // namespace

cudaError_t read_stream(const void* data, int64_t bytes, uint32_t* sink, cudaStream_t stream) {
    cudaError_t status = cudaSuccess;
    const cuda::Launch at = full_device(bytes / 16, stream, &status);
    return status != cudaSuccess ? status : cuda::launch(at, read_kernel, static_cast<const uint4*>(data), bytes / 16, sink);
}

cudaError_t copy_stream(void* destination, const void* source, int64_t bytes, cudaStream_t stream) {
    cudaError_t status = cudaSuccess;
    const cuda::Launch at = full_device(bytes / 16, stream, &status);
    if (status != cudaSuccess) return status;
    return cuda::launch(at, copy_kernel, static_cast<uint4*>(destination), static_cast<const uint4*>(source), bytes / 16);
}

}  // namespace halfbyte::benchmark
