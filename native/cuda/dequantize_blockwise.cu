// dequantize_blockwise: output[i] = codebook[codes[i]] * absmax[i / blocksize], rounded once to the output type.
//
// A thread makes runs of elements that fill one 16-byte store: 8 of a 16-bit type from 8 codes, 4 of float32 from 4. Consecutive
// threads take consecutive runs, so a warp stores 512 contiguous bytes per instruction, and a run never crosses a block of 32 or
// more. Each thread makes kRuns runs of a tile, blockDim runs apart, and loads all their codes before it uses the first.
//
// Bytes per element: 1 code + 4 / blocksize statistics + 4 written (16-bit types: 2). It aims at the memory's rate: 0.63 of the
// time of a copy of a float32 output. Per element one lookup in a table of 256 words in shared memory: 3.5 passes over its banks
// where codes are random, of the ten (16-bit types: five) that there is time for.
#include <bit>

#include "core/formats.h"
#include "cuda/device/codebook256.cuh"
#include "cuda/device/element.cuh"
#include "cuda/device/grid.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/kernels.h"

namespace halfbyte::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kRuns = 4;  // 64 bytes to store in flight per thread

// The codes of a run, four to a word.
__device__ __forceinline__ void load_codes(const uint8_t* from, uint32_t (&words)[1]) {
    words[0] = ptx::load_streaming(reinterpret_cast<const uint32_t*>(from));
}
__device__ __forceinline__ void load_codes(const uint8_t* from, uint32_t (&words)[2]) {
    const uint2 both = ptx::load_streaming(reinterpret_cast<const uint2*>(from));
    words[0] = both.x;
    words[1] = both.y;
}

struct Shared {
    float codebook[256];
};

template <class T>
__global__ void __launch_bounds__(kThreads, 4)
    dequantize_blockwise_kernel(const uint8_t* __restrict__ codes,                   // [n]
                                const float* __restrict__ absmax,                    // [ceil(n/blocksize)]
                                const __grid_constant__ Codebook256Source codebook,  // [256]
                                T* __restrict__ output,                              // [n]
                                int64_t n, int blocksize_log2, bool aligned) {       // codes to a run's, output to 16 bytes
    constexpr int kElements = kElementsPer16Bytes<T>, kTile = kThreads * kRuns * kElements;
    Shared& shared = shared_memory<Shared>();
    load_codebook(shared.codebook, codebook);
    __syncthreads();
    for (int64_t tile = blockIdx.x; tile * kTile < n; tile += gridDim.x) {
        const int64_t first = tile * kTile + static_cast<int>(threadIdx.x) * kElements;
        uint32_t words[kRuns][kElements / 4];
        float scale[kRuns];
#pragma unroll
        for (int r = 0; r < kRuns; ++r) {
            const int64_t i = first + r * (kThreads * kElements);
            if (i >= n) continue;
            scale[r] = __ldg(absmax + (i >> blocksize_log2));
            if (aligned && i + kElements <= n) load_codes(codes + i, words[r]);
        }
#pragma unroll
        for (int r = 0; r < kRuns; ++r) {
            const int64_t i = first + r * (kThreads * kElements);
            if (i >= n) continue;
            if (aligned && i + kElements <= n) {
                float values[kElements];
#pragma unroll
                for (int j = 0; j < kElements; ++j)
                    values[j] = __fmul_rn(shared.codebook[words[r][j / 4] >> (j % 4 * 8) & 255], scale[r]);
                ptx::store_streaming(reinterpret_cast<uint4*>(output + i), pack(values, T{}));
            } else {
                for (int j = 0; j < kElements && i + j < n; ++j)
                    output[i + j] = from_float<T>(__fmul_rn(shared.codebook[codes[i + j]], scale[r]));
            }
        }
    }
}

template <class T>
cudaError_t run(const DequantizeBlockwise& op, cudaStream_t stream) {
    constexpr int kElements = kElementsPer16Bytes<T>;
    Launch at{.block = kThreads, .shared_bytes = sizeof(Shared), .stream = stream};
    const cudaError_t status = persistent_grid(ceil_div(op.n, kThreads * kRuns * kElements), 8, &at.grid);
    if (status != cudaSuccess) return status;
    const bool aligned = is_aligned(op.codes, kElements) && is_aligned(op.output, 16);
    return launch(at, dequantize_blockwise_kernel<T>, op.codes, op.absmax, Codebook256Source(op.codebook),
                  static_cast<T*>(op.output), op.n, std::countr_zero(static_cast<uint64_t>(op.blocksize)), aligned);
}

}  // namespace

cudaError_t dequantize_blockwise(const DequantizeBlockwise& op, cudaStream_t stream) {
    if (op.n == 0) return cudaSuccess;
    switch (op.dtype) {
        case DType::kFloat32:
            return run<float>(op, stream);
        case DType::kFloat16:
            return run<__half>(op, stream);
        case DType::kBFloat16:
            return run<__nv_bfloat16>(op, stream);
    }
    return cudaErrorInvalidValue;
}

}  // namespace halfbyte::cuda
