// dequantize_4bit: output[i] = codebook[code(i)] * absmax(i / blocksize), rounded once to the output type.
//
// Element 2j is the high nibble of byte j. A thread makes a run of elements that fills one 16-byte store: 8 of a 16-bit type from
// 4 packed bytes, 4 of float32 from 2. Consecutive threads take consecutive runs, so a warp stores 512 contiguous bytes per
// instruction, and a run never crosses a block of 32 or more. Each thread makes kRuns runs, blockDim runs apart, and loads all
// their bytes before it uses the first.
//
// Bytes per element, block size 64: 0.5 packed + 0.0625 statistics (nested: 0.0157) + 2 written (float32: 4). It aims at the
// memory's rate: 0.64 of the time of a copy of the output. Per element one shared-memory lookup without conflicts, a fifth of
// what the load-store pipe of an H200 can do at that rate, so a table of pairs (half the lookups, but conflicts or 64 KB) would
// buy nothing.
#include "core/operations.h"
#include "cuda/device/codebook16.cuh"
#include "cuda/device/element.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/statistics.cuh"
#include "cuda/kernels.h"

namespace halfbyte::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kRuns = 4;  // 16 bytes to load and 64 to store in flight per thread: 128 KB of stores per multiprocessor

// The packed bytes of a run, as one word.
__device__ __forceinline__ uint32_t load_run(const uint8_t* packed, int64_t run, __half) {
    return ptx::load_streaming(reinterpret_cast<const uint32_t*>(packed) + run);
}
__device__ __forceinline__ uint32_t load_run(const uint8_t* packed, int64_t run, __nv_bfloat16) {
    return ptx::load_streaming(reinterpret_cast<const uint32_t*>(packed) + run);
}
__device__ __forceinline__ uint32_t load_run(const uint8_t* packed, int64_t run, float) {
    return __ldcs(reinterpret_cast<const uint16_t*>(packed) + run);
}

struct Shared {
    float codebook[16];
};

// T: output type. Nested: double-quantized statistics. `packed` begins with element `first_element` of the weight.
template <class T, bool Nested>
__global__ void __launch_bounds__(kThreads) dequantize_4bit_kernel(const uint8_t* __restrict__ packed,  // [(n+1)/2], aligned to 4
                                                                   const Statistics statistics,         // [ceil(n/blocksize)]
                                                                   const __grid_constant__ Codebook16Source codebook,  // [16]
                                                                   T* __restrict__ output,  // [n], aligned to 16
                                                                   int64_t first_element, int64_t n) {
    constexpr int kElements = kElementsPer16Bytes<T>;
    Shared& shared = shared_memory<Shared>();
    const int64_t first = static_cast<int64_t>(blockIdx.x) * (kThreads * kRuns) + threadIdx.x, whole_runs = n / kElements;
    uint32_t word[kRuns];
    float absmax[kRuns];
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
        const int64_t run = first + r * kThreads;
        if (run >= whole_runs) continue;
        word[r] = load_run(packed, run, T{});
        absmax[r] = absmax_at<Nested>(statistics, first_element + run * kElements);
    }
    load_codebook(shared.codebook, codebook);  // while the loads above are under way
    __syncthreads();
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
        const int64_t run = first + r * kThreads;
        if (run >= whole_runs) continue;
        float values[kElements];
#pragma unroll
        for (int i = 0; i < kElements; ++i)
            values[i] = shared.codebook[word[r] >> (i / 2 * 8 + (i % 2 == 0 ? 4 : 0)) & 15] * absmax[r];
        ptx::store_streaming(reinterpret_cast<uint4*>(output) + run, pack(values, T{}));
    }
}

// One element per thread, for what the kernel above cannot take: the last n % kElements elements, and tensors at odd addresses.
template <class T, bool Nested>
__global__ void __launch_bounds__(kThreads)
    dequantize_4bit_single_kernel(const uint8_t* __restrict__ packed,                 // [(n+1)/2]
                                  const Statistics statistics,                        // [ceil(n/blocksize)]
                                  const __grid_constant__ Codebook16Source codebook,  // [16]
                                  T* __restrict__ output,                             // [n], written from `begin` on
                                  int64_t begin, int64_t first_element, int64_t n) {
    Shared& shared = shared_memory<Shared>();
    load_codebook(shared.codebook, codebook);
    __syncthreads();
    const int64_t i = begin + static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (i >= n) return;
    const unsigned code = packed[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15u;
    output[i] = from_float<T>(shared.codebook[code] * absmax_at<Nested>(statistics, first_element + i));
}

bool is_aligned(const void* p, uintptr_t alignment) { return reinterpret_cast<uintptr_t>(p) % alignment == 0; }

template <class T, bool Nested>
cudaError_t run(const Dequantize4Bit& op, int64_t first, int64_t n, cudaStream_t stream) {
    const auto* packed = static_cast<const uint8_t*>(op.weight.packed) + first / 2;
    auto* output = static_cast<T*>(op.output);
    const Statistics statistics(op.weight);
    const Codebook16Source codebook(op.weight);
    const auto grid = [](int64_t threads) { return dim3(static_cast<unsigned>(ceil_div(threads, kThreads))); };

    int64_t done = 0;  // elements that the wide kernel makes
    if (is_aligned(packed, 4) && is_aligned(output, 16)) {
        constexpr int64_t kElements = kElementsPer16Bytes<T>;
        const int64_t runs = n / kElements;
        if (runs > 0) {
            const Launch at{
                .grid = grid(ceil_div(runs, kRuns)), .block = kThreads, .shared_bytes = sizeof(Shared), .stream = stream};
            const cudaError_t status =
                launch(at, dequantize_4bit_kernel<T, Nested>, packed, statistics, codebook, output, first, n);
            if (status != cudaSuccess) return status;
        }
        done = runs * kElements;
    }
    if (done == n) return cudaSuccess;
    const Launch at{.grid = grid(n - done), .block = kThreads, .shared_bytes = sizeof(Shared), .stream = stream};
    return launch(at, dequantize_4bit_single_kernel<T, Nested>, packed, statistics, codebook, output, done, first, n);
}

template <class T>
cudaError_t run(const Dequantize4Bit& op, int64_t first, int64_t n, cudaStream_t stream) {
    return is_nested(op.weight) ? run<T, true>(op, first, n, stream) : run<T, false>(op, first, n, stream);
}

}  // namespace

cudaError_t dequantize_4bit_part(const Dequantize4Bit& op, int64_t first, int64_t n, cudaStream_t stream) {
    switch (op.dtype) {
        case DType::kFloat32:
            return run<float>(op, first, n, stream);
        case DType::kFloat16:
            return run<__half>(op, first, n, stream);
        case DType::kBFloat16:
            return run<__nv_bfloat16>(op, first, n, stream);
    }
    return cudaErrorInvalidValue;
}

cudaError_t dequantize_4bit(const Dequantize4Bit& op, cudaStream_t stream) {
    return dequantize_4bit_part(op, 0, op.weight.N * op.weight.K, stream);
}

}  // namespace halfbyte::cuda
