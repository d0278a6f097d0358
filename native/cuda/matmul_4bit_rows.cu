// y[m, n] = sum over k of x[m, k] * (table[code(n, k)] * absmax(block of (n, k))) + bias[n], for up to four rows of x.
//
// One warp per row n of the weight. Where rows are whole words, a lane takes runs of 8 codes (4 bytes) that lie in one block, 256
// apart, sums a run in float32 and applies the statistic to the sum; elsewhere it takes single codes, 32 apart. A butterfly over
// the lanes ends the sum, in an order that depends on nothing. Table values and statistics are exact: the error is that of
// float32 sums of K / 32 terms and a tree of 32.
//
// Bytes per weight, block size 64: 0.5 packed + 0.0625 statistics; x comes from the caches. Per weight and row of x one fused
// multiply-add, per weight one shared-memory lookup without conflicts.
#include <type_traits>

#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/matmul_4bit.h"

namespace halfbyte::cuda {
namespace {

constexpr int kThreads = 256;

struct Shared {
    float table[16];
};

// Rows m of x beyond M repeat the last, and are not stored.
template <class T, int Rows>
__global__ void __launch_bounds__(kThreads)
    matmul_4bit_rows_kernel(const __grid_constant__ MatMul4BitBatch batch, bool x_is_aligned) {
    Shared& shared = shared_memory<Shared>();
    const int i = weight_of_tile(batch.weights, blockIdx.x);
    const Weight4Bit& weight = batch.weights.at[i];
    load_table(shared.table, batch.weights, weight);
    __syncthreads();

    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int64_t K = batch.weights.K, n = (blockIdx.x - weight.first) * kRowsTile + threadIdx.x / 32, row = n * K;
    if (n >= weight.N) return;
    const T* x[Rows];
#pragma unroll
    for (int m = 0; m < Rows; ++m) x[m] = static_cast<const T*>(batch.x) + (m < batch.M ? m : batch.M - 1) * batch.ldx;

    float sums[Rows] = {};
    if (weight.is_aligned && x_is_aligned) {
        const auto* words = reinterpret_cast<const uint32_t*>(weight.packed);
#pragma unroll 2
        for (int64_t k = lane * 8; k < K; k += 256) {
            const uint32_t word = ptx::load_streaming(words + (row + k) / 8);
            const float absmax = absmax_of_sum(weight, row + k);
            float values[8];
#pragma unroll
            for (int e = 0; e < 8; ++e) values[e] = shared.table[code_in_word(word, e)];
#pragma unroll
            for (int m = 0; m < Rows; ++m) {
                float activations[8], part = 0.0f;
                load_eight(activations, x[m] + k);
#pragma unroll
                for (int e = 0; e < 8; ++e) part += activations[e] * values[e];
                sums[m] += part * absmax;
            }
        }
    } else {
        for (int64_t k = lane; k < K; k += 32) {
            const float value = shared.table[code_of(weight, row + k)] * absmax_of_element(weight, row + k);
#pragma unroll
            for (int m = 0; m < Rows; ++m) sums[m] += to_float(x[m][k]) * value;
        }
    }
#pragma unroll
    for (int m = 0; m < Rows; ++m) {
#pragma unroll
        for (int distance = 16; distance > 0; distance /= 2) sums[m] += __shfl_xor_sync(0xffffffffu, sums[m], distance);
        if (lane == 0 && m < batch.M) store<T>(batch.outputs[i], m, n, sums[m]);
    }
}

template <class T>
cudaError_t run(const MatMul4BitBatch& batch, cudaStream_t stream) {
    const bool x_is_aligned =
        reinterpret_cast<uintptr_t>(batch.x) % 16 == 0 && batch.ldx * static_cast<int64_t>(sizeof(T)) % 16 == 0;
    const Launch at{
        .grid = static_cast<unsigned>(batch.tiles), .block = kThreads, .shared_bytes = sizeof(Shared), .stream = stream};
    if (batch.M == 1) return launch(at, matmul_4bit_rows_kernel<T, 1>, batch, x_is_aligned);
    if (batch.M == 2) return launch(at, matmul_4bit_rows_kernel<T, 2>, batch, x_is_aligned);
    static_assert(kRowsMost == 4);
    return launch(at, matmul_4bit_rows_kernel<T, 4>, batch, x_is_aligned);
}

}  // namespace

cudaError_t matmul_4bit_rows(const MatMul4BitBatch& batch, cudaStream_t stream) {
    switch (batch.dtype) {
        case DType::kFloat32:
            return run<float>(batch, stream);
        case DType::kFloat16:
            return run<__half>(batch, stream);
        case DType::kBFloat16:
            return run<__nv_bfloat16>(batch, stream);
    }
    return cudaErrorInvalidValue;
}

}  // namespace halfbyte::cuda
