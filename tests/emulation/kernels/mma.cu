#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/smem.cuh"
#include "kernels.h"

using namespace halfbyte::cuda;

namespace {

// ---- one warp, fragments by their documented maps ------------------------------------------------------------------------------

// Two 16-bit or four 8-bit elements at `p`, as a register.
template <class T>
__device__ uint32_t packed(const T* p) {
    uint32_t word = 0;
    for (int i = 0; i < static_cast<int>(4 / sizeof(T)); ++i) {
        T element = p[i];
        uint32_t bits = 0;
        if constexpr (sizeof(T) == 1) bits = static_cast<uint8_t>(element);
        else bits = __half_as_ushort(element);
        word |= bits << (8 * sizeof(T) * i);
    }
    return word;
}

template <int Rows, int RegistersA, int RegistersB, class T, class D, class Multiply>
__device__ void one_product(const T* a, const T* b, D* d, Multiply multiply) {
    constexpr int kElements = 4 / sizeof(T), k = RegistersB * 4 * kElements;
    const int g = threadIdx.x / 4, t = threadIdx.x % 4;
    uint32_t fragment_a[RegistersA], fragment_b[RegistersB];
    for (int r = 0; r < RegistersA; ++r) {
        const int row = g + (Rows == 16 ? 8 * (r & 1) : 0), column = kElements * t + 4 * kElements * (Rows == 16 ? r >> 1 : r);
        fragment_a[r] = packed(a + row * k + column);
    }
    for (int r = 0; r < RegistersB; ++r) fragment_b[r] = packed(b + g * k + kElements * t + 4 * kElements * r);
    D accumulators[Rows / 4] = {};
    multiply(accumulators, fragment_a, fragment_b);
    for (int e = 0; e < Rows / 4; ++e) d[(g + 8 * (e >> 1)) * 8 + 2 * t + (e & 1)] = accumulators[e];
}

__global__ void mma_f16_k16_kernel(const __half* a, const __half* b, float* d) {
    one_product<16, 4, 2>(a, b, d,
                          [](float(&x)[4], const uint32_t(&y)[4], const uint32_t(&z)[2]) { ptx::mma_m16n8k16_f16(x, y, z); });
}
__global__ void mma_f16_k8_kernel(const __half* a, const __half* b, float* d) {
    one_product<16, 2, 1>(a, b, d,
                          [](float(&x)[4], const uint32_t(&y)[2], const uint32_t(&z)[1]) { ptx::mma_m16n8k8_f16(x, y, z); });
}
__global__ void mma_s8_k32_kernel(const int8_t* a, const int8_t* b, int32_t* d) {
    one_product<16, 4, 2>(a, b, d,
                          [](int32_t(&x)[4], const uint32_t(&y)[4], const uint32_t(&z)[2]) { ptx::mma_m16n8k32_s8(x, y, z); });
}
__global__ void mma_s8_k16_kernel(const int8_t* a, const int8_t* b, int32_t* d) {
    one_product<8, 1, 1>(a, b, d,
                         [](int32_t(&x)[2], const uint32_t(&y)[1], const uint32_t(&z)[1]) { ptx::mma_m8n8k16_s8(x, y, z); });
}

__global__ void mma_transposed_kernel(const __nv_bfloat16* a, const __nv_bfloat16* b, float* d, uint32_t* stored) {
    struct Shared {
        __nv_bfloat16 a[16][16], b[16][8], again[16][16];
    };
    Shared& shared = shared_memory<Shared>();
    const int lane = threadIdx.x;
    for (int i = lane; i < 256; i += 32) shared.a[i / 16][i % 16] = a[i];
    for (int i = lane; i < 128; i += 32) shared.b[i / 8][i % 8] = b[i];
    __syncwarp();
    uint32_t fragment_a[4], fragment_b[2];
    ptx::load_matrix(fragment_a, &shared.a[lane % 16][lane / 16 * 8]);
    ptx::load_matrix_transposed(fragment_b, &shared.b[lane % 16][0]);
    float accumulators[4] = {};
    ptx::mma_m16n8k16_bf16(accumulators, fragment_a, fragment_b);
    for (int e = 0; e < 4; ++e) d[(lane / 4 + 8 * (e >> 1)) * 8 + 2 * (lane % 4) + (e & 1)] = accumulators[e];
    ptx::store_matrix(&shared.again[lane % 16][lane / 16 * 8], fragment_a);
    __syncwarp();
    for (int i = lane; i < 128; i += 32) stored[i] = reinterpret_cast<const uint32_t*>(shared.again)[i];
}

// stored[kind]: four 8 x 8 matrices, of which the first 1, 2, 4 (kind 0, 1, 2), transposed (3, 4, 5), were stored from registers.
__global__ void store_matrices_kernel(const uint32_t* registers, uint32_t* stored) {
    struct Shared {
        alignas(16) uint32_t matrix[6][4][8][4];
    };
    Shared& shared = shared_memory<Shared>();
    const int lane = threadIdx.x;
    for (int i = lane; i < 6 * 128; i += 32) reinterpret_cast<uint32_t*>(&shared)[i] = 0;
    __syncwarp();
    const uint32_t* mine = registers + 4 * lane;
    const uint32_t one[1] = {mine[0]}, two[2] = {mine[0], mine[1]}, four[4] = {mine[0], mine[1], mine[2], mine[3]};
    ptx::store_matrix(shared.matrix[0][lane / 8][lane % 8], one);
    ptx::store_matrix(shared.matrix[1][lane / 8][lane % 8], two);
    ptx::store_matrix(shared.matrix[2][lane / 8][lane % 8], four);
    ptx::store_matrix_transposed(shared.matrix[3][lane / 8][lane % 8], one);
    ptx::store_matrix_transposed(shared.matrix[4][lane / 8][lane % 8], two);
    ptx::store_matrix_transposed(shared.matrix[5][lane / 8][lane % 8], four);
    __syncwarp();
    for (int i = lane; i < 6 * 128; i += 32) stored[i] = reinterpret_cast<const uint32_t*>(&shared)[i];
}

// ---- a block -------------------------------------------------------------------------------------------------------------------
// Thread map: 4 warps, 2 x 2, each 32 x 32 of the block's 64 x 64 of C; k in steps of 32, two of them in flight.

constexpr int kTile = 64, kDepth = 32, kPitch = kDepth + 8;  // 80-byte rows: eight of them touch all banks once

struct GemmShared {
    __nv_bfloat16 a[2][kTile][kPitch], b[2][kTile][kPitch];
};

__device__ void load_tiles(GemmShared& shared, int stage, const __nv_bfloat16* a, const __nv_bfloat16* b, int k, int K) {
    for (int i = threadIdx.x; i < kTile * kDepth / 8; i += 128) {
        const int row = i / (kDepth / 8), column = i % (kDepth / 8) * 8;
        ptx::copy_async_streaming(&shared.a[stage][row][column], a + static_cast<int64_t>(row) * K + k + column);
        ptx::copy_async_streaming(&shared.b[stage][row][column], b + static_cast<int64_t>(row) * K + k + column);
    }
    ptx::copy_async_commit();
}

__global__ void __launch_bounds__(128) gemm_bf16_kernel(const __nv_bfloat16* a, const __nv_bfloat16* b, float* c, int N, int K) {
    GemmShared& shared = shared_memory<GemmShared>();
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, row0 = warp / 2 * 32, column0 = warp % 2 * 32;
    a += static_cast<int64_t>(blockIdx.y) * kTile * K;
    b += static_cast<int64_t>(blockIdx.x) * kTile * K;
    float d[2][4][4] = {};
    const int steps = K / kDepth;
    load_tiles(shared, 0, a, b, 0, K);
    for (int step = 0; step < steps; ++step) {
        if (step + 1 < steps) {
            load_tiles(shared, (step + 1) % 2, a, b, (step + 1) * kDepth, K);
            ptx::copy_async_wait<1>();
        } else {
            ptx::copy_async_wait<0>();
        }
        __syncthreads();
        for (int k = 0; k < kDepth; k += 16) {
            uint32_t fragment_a[2][4], fragment_b[4][2];
            for (int i = 0; i < 2; ++i)
                ptx::load_matrix(fragment_a[i], &shared.a[step % 2][row0 + 16 * i + lane % 16][k + lane / 16 * 8]);
            for (int j = 0; j < 4; ++j)
                ptx::load_matrix(fragment_b[j], &shared.b[step % 2][column0 + 8 * j + lane % 8][k + lane / 8 % 2 * 8]);
            for (int i = 0; i < 2; ++i)
                for (int j = 0; j < 4; ++j) ptx::mma_m16n8k16_bf16(d[i][j], fragment_a[i], fragment_b[j]);
        }
        __syncthreads();
    }
    for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 4; ++j)
            for (int e = 0; e < 4; ++e) {
                const int row = blockIdx.y * kTile + row0 + 16 * i + lane / 4 + 8 * (e >> 1);
                const int column = blockIdx.x * kTile + column0 + 8 * j + 2 * (lane % 4) + (e & 1);
                c[static_cast<int64_t>(row) * N + column] = d[i][j][e];
            }
}

}  // namespace

cudaError_t gemm_bf16(const __nv_bfloat16* a, const __nv_bfloat16* b, float* c, int M, int N, int K) {
    const Launch at{.grid = dim3(static_cast<unsigned>(N / kTile), static_cast<unsigned>(M / kTile)),
                    .block = 128,
                    .shared_bytes = sizeof(GemmShared)};
    return launch(at, gemm_bf16_kernel, a, b, c, N, K);
}
cudaError_t mma_f16_k16(const __half* a, const __half* b, float* d) { return launch({.block = 32}, mma_f16_k16_kernel, a, b, d); }
cudaError_t mma_f16_k8(const __half* a, const __half* b, float* d) { return launch({.block = 32}, mma_f16_k8_kernel, a, b, d); }
cudaError_t mma_s8_k32(const int8_t* a, const int8_t* b, int32_t* d) { return launch({.block = 32}, mma_s8_k32_kernel, a, b, d); }
cudaError_t mma_s8_k16(const int8_t* a, const int8_t* b, int32_t* d) { return launch({.block = 32}, mma_s8_k16_kernel, a, b, d); }
cudaError_t mma_transposed(const __nv_bfloat16* a, const __nv_bfloat16* b, float* d, uint32_t* stored) {
    return launch({.block = 32, .shared_bytes = 2048}, mma_transposed_kernel, a, b, d, stored);
}
cudaError_t store_matrices(const uint32_t* registers, uint32_t* stored) {
    return launch({.block = 32, .shared_bytes = 6 * 512}, store_matrices_kernel, registers, stored);
}
