// dequantize_int8: output[n, k] = codes[n, k] * absmax[n] * (1.0f / 127.0f), two float32 products in this order, rounded once.
//
// The weight is dense, so it is taken as one flat tensor. A thread makes runs of elements that fill one 16-byte store: 8 of a
// 16-bit type from 8 codes, 4 of float32 from 4; a run may straddle two rows. Consecutive threads take consecutive runs, so a warp
// stores 512 contiguous bytes per instruction. Each thread makes kRuns runs, blockDim runs apart, and loads all their codes before
// it uses the first.
//
// Bytes per element: 1 read + 2 written (float32: 4). It aims at the memory's rate: 0.75 of the time of a copy of the output.
#include "core/formats.h"
#include "cuda/device/element.cuh"
#include "cuda/device/grid.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/kernels.h"

namespace halfbyte::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kRuns = 4;

// Byte i of `offset_codes`, which are codes + 128, as a float: put below the exponent of 2^23, it counts.
__device__ __forceinline__ float code_at(uint32_t offset_codes, int i) {
    return __uint_as_float(ptx::prmt(offset_codes, 0x4b000000, static_cast<uint32_t>(0x7540 + i))) - (0x1p23f + 128);
}

__device__ __forceinline__ float value_of(float code, float absmax) { return __fmul_rn(__fmul_rn(code, absmax), 1.0f / 127.0f); }

template <class T>
__global__ void __launch_bounds__(kThreads)
    dequantize_int8_kernel(const int8_t* __restrict__ codes,  // [N, K]
                           const float* __restrict__ absmax,  // [N]
                           T* __restrict__ output,            // [N, K]
                           int64_t n, int64_t K,              // n = N * K
                           bool wide) {                       // codes aligned to a run's, output to 16 bytes, K at least a run
    constexpr int kElements = kElementsPer16Bytes<T>, kTile = kThreads * kRuns * kElements;
    const int64_t tile = static_cast<int64_t>(blockIdx.x) * kTile, tile_row = tile / K, tile_column = tile - tile_row * K;
    uint32_t words[kRuns][kElements / 4];
    float scale[kRuns], next_scale[kRuns];
    int left[kRuns];  // elements of the run in its first row
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
        const int offset = (r * kThreads + static_cast<int>(threadIdx.x)) * kElements;
        const int64_t i = tile + offset;
        if (!wide || i + kElements > n) continue;
        const int64_t column = tile_column + offset;  // of row tile_row, if that were long enough
        int64_t rows = column >= K;
        if (K < kTile) rows = static_cast<uint32_t>(column) / static_cast<uint32_t>(K);
        const int64_t row = tile_row + rows, rest = (rows + 1) * K - column;
        left[r] = static_cast<int>(min(rest, int64_t{kElements}));
        scale[r] = __ldg(absmax + row);
        next_scale[r] = left[r] < kElements ? __ldg(absmax + row + 1) : 0.0f;
        if constexpr (kElements == 8) {
            const uint2 both = ptx::load_streaming(reinterpret_cast<const uint2*>(codes + i));
            words[r][0] = both.x;
            words[r][1] = both.y;
        } else {
            words[r][0] = ptx::load_streaming(reinterpret_cast<const uint32_t*>(codes + i));
        }
    }
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
        const int64_t i = tile + (r * kThreads + static_cast<int>(threadIdx.x)) * kElements;
        if (wide && i + kElements <= n) {
            float values[kElements];
#pragma unroll
            for (int j = 0; j < kElements; ++j)
                values[j] = value_of(code_at(words[r][j / 4] ^ 0x80808080u, j % 4), j < left[r] ? scale[r] : next_scale[r]);
            ptx::store_streaming(reinterpret_cast<uint4*>(output + i), pack(values, T{}));
        } else {
            for (int64_t j = i; j < min(i + kElements, n); ++j)
                output[j] = from_float<T>(value_of(static_cast<float>(codes[j]), __ldg(absmax + j / K)));
        }
    }
}

template <class T>
cudaError_t run(const DequantizeInt8& op, cudaStream_t stream) {
    constexpr int64_t kElements = kElementsPer16Bytes<T>;
    const int64_t n = op.weight.N * op.weight.K;
    const Launch at{
        .grid = dim3(static_cast<unsigned>(ceil_div(n, kThreads * kRuns * kElements))), .block = kThreads, .stream = stream};
    const bool wide = is_aligned(op.weight.codes, kElements) && is_aligned(op.output, 16) && op.weight.K >= kElements;
    return launch(at, dequantize_int8_kernel<T>, static_cast<const int8_t*>(op.weight.codes),
                  static_cast<const float*>(op.weight.absmax), static_cast<T*>(op.output), n, op.weight.K, wide);
}

}  // namespace

cudaError_t dequantize_int8(const DequantizeInt8& op, cudaStream_t stream) {
    if (op.weight.N == 0 || op.weight.K == 0) return cudaSuccess;
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
