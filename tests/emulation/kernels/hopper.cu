#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/ptx/mbarrier.cuh"
#include "cuda/device/ptx/tma.cuh"
#include "cuda/device/ptx/wgmma.cuh"
#include "cuda/device/smem.cuh"
#include "kernels.h"

using namespace halfbyte::cuda;

namespace {

// ---- copies --------------------------------------------------------------------------------------------------------------------

__global__ void bulk_copy_kernel(const unsigned char* input, unsigned char* output, uint32_t bytes) {
    struct Shared {
        alignas(128) unsigned char stage[2][1024];
        uint64_t full[2];
    };
    Shared& shared = shared_memory<Shared>();
    if (threadIdx.x != 0) return;
    for (uint64_t& barrier : shared.full) ptx::mbarrier_init(&barrier, 1);
    ptx::fence_mbarrier_init();
    for (uint32_t i = 0; i < bytes / 1024; ++i) {
        const uint32_t stage = i % 2;
        ptx::bulk_wait_read<1>();  // the store of two steps ago has read this stage
        ptx::mbarrier_arrive_expect(&shared.full[stage], 1024);
        ptx::bulk_load(shared.stage[stage], input + 1024 * i, 1024, &shared.full[stage]);
        ptx::mbarrier_wait(&shared.full[stage], i / 2 % 2);
        ptx::bulk_store(output + 1024 * i, shared.stage[stage], 1024);
        ptx::bulk_commit();
    }
    ptx::bulk_wait<0>();
}

// One warp; block (x, y) copies the box at (64 x, 64 y), and inverts it on the way: through ordinary accesses of the swizzled tile.
__global__ void tensor_copy_kernel(const __grid_constant__ CUtensorMap from, const __grid_constant__ CUtensorMap to) {
    struct Shared {
        alignas(1024) uint16_t tile[64][64];
        uint64_t full;
    };
    Shared& shared = shared_memory<Shared>();
    const int32_t x = static_cast<int32_t>(blockIdx.x) * 64, y = static_cast<int32_t>(blockIdx.y) * 64;
    if (threadIdx.x == 0) {
        ptx::tensor_prefetch(&from);
        ptx::mbarrier_init(&shared.full, 1);
        ptx::fence_mbarrier_init();
        ptx::mbarrier_arrive_expect(&shared.full, sizeof shared.tile);
        ptx::tensor_load(shared.tile, &from, x, y, &shared.full);
    }
    __syncthreads();
    ptx::mbarrier_wait(&shared.full, 0);
    for (unsigned i = threadIdx.x; i < 64 * 64; i += blockDim.x) shared.tile[i / 64][i % 64] ^= 0xffffu;
    ptx::fence_proxy_async();
    __syncthreads();
    if (threadIdx.x == 0) {
        ptx::tensor_store(&to, x, y, shared.tile);
        ptx::bulk_commit();
        ptx::bulk_wait<0>();
    }
}

// ---- wgmma ---------------------------------------------------------------------------------------------------------------------

template <int Registers>
__device__ void store_accumulators(float* d, const float (&values)[Registers]) {
    const unsigned row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = 2 * (threadIdx.x % 4);
    for (unsigned r = 0; r < Registers; ++r) d[(row + 8 * (r / 2 % 2)) * 2 * Registers + r / 4 * 8 + column + r % 2] = values[r];
}

// Thread map: one producer warp (threads 128 to 159, one lane of it), one warpgroup of consumers. Three stages of 64 x 64 tiles.
template <bool BMnMajor>
__global__ void wgmma_gemm_kernel(const __grid_constant__ CUtensorMap map_a, const __grid_constant__ CUtensorMap map_b, float* d,
                                  int K) {
    constexpr int kStages = 3;
    struct Shared {
        alignas(1024) __nv_bfloat16 a[kStages][64 * 64];
        alignas(1024) __nv_bfloat16 b[kStages][64 * 64];
        uint64_t full[kStages], empty[kStages];
    };
    Shared& shared = shared_memory<Shared>();
    if (threadIdx.x == 0) {
        for (int i = 0; i < kStages; ++i) {
            ptx::mbarrier_init(&shared.full[i], 1);
            ptx::mbarrier_init(&shared.empty[i], 128);
        }
        ptx::fence_mbarrier_init();
    }
    __syncthreads();
    const int steps = K / 64;
    if (threadIdx.x >= 128) {
        if (threadIdx.x != 128) return;
        for (int step = 0; step < steps; ++step) {
            const int stage = step % kStages;
            // The first round finds the stages empty: waiting for the phase before the first returns at once.
            ptx::mbarrier_wait(&shared.empty[stage], static_cast<uint32_t>(step / kStages + 1) % 2);
            ptx::mbarrier_arrive_expect(&shared.full[stage], 2 * 64 * 64 * sizeof(__nv_bfloat16));
            ptx::tensor_load(shared.a[stage], &map_a, step * 64, 0, &shared.full[stage]);
            ptx::tensor_load(shared.b[stage], &map_b, BMnMajor ? 0 : step * 64, BMnMajor ? step * 64 : 0, &shared.full[stage]);
        }
        return;
    }
    float accumulators[32] = {};
    for (int step = 0; step < steps; ++step) {
        const int stage = step % kStages;
        ptx::mbarrier_wait(&shared.full[stage], static_cast<uint32_t>(step / kStages) % 2);
        ptx::wgmma_fence();
        for (int k = 0; k < 64; k += 16) {
            const uint64_t a = ptx::wgmma_descriptor(shared.a[stage] + k, 0, 1024, ptx::WgmmaSwizzle::k128Bytes);
            // K-major: 16 of k are 32 bytes further in the rows. MN-major: they are 16 lines of 128 bytes.
            const uint64_t b =
                ptx::wgmma_descriptor(shared.b[stage] + (BMnMajor ? k * 64 : k), 0, 1024, ptx::WgmmaSwizzle::k128Bytes);
            ptx::wgmma_bf16<false, BMnMajor>(accumulators, a, b, true);
        }
        ptx::wgmma_commit();
        ptx::wgmma_wait<0>(accumulators);
        ptx::mbarrier_arrive(&shared.empty[stage]);
    }
    store_accumulators(d, accumulators);
}

__global__ void wgmma_registers_kernel(const __nv_bfloat16* a, const __nv_bfloat16* b, float* d, int swizzle) {
    struct Shared {
        alignas(1024) unsigned char b[4096];
    };
    Shared& shared = shared_memory<Shared>();
    // B [32, 16] K-major. Rows of 16 W bytes; piece p (16 bytes, 8 elements) of row n.
    for (unsigned i = threadIdx.x; i < 32 * 16; i += 128) {
        const unsigned n = i / 16, k = i % 16;
        uint32_t at;
        if (swizzle == 0) {
            // Core matrices of 8 x 16 bytes, 128 bytes apart along k and 256 along n.
            at = n / 8 * 256 + k / 8 * 128 + n % 8 * 16 + k % 8 * 2;
        } else {
            const unsigned width = static_cast<unsigned>(swizzle);
            at = n * width + k * 2;
            at ^= (at >> 7 & (width / 16 - 1)) << 4;
        }
        *reinterpret_cast<__nv_bfloat16*>(shared.b + at) = b[i];
    }
    ptx::fence_proxy_async();
    __syncthreads();
    const unsigned row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const auto* words = reinterpret_cast<const uint32_t*>(a);
    const uint32_t fragment[4] = {words[row * 8 + t], words[(row + 8) * 8 + t], words[row * 8 + t + 4],
                                  words[(row + 8) * 8 + t + 4]};
    const uint64_t descriptor = swizzle == 0    ? ptx::wgmma_descriptor(shared.b, 128, 256, ptx::WgmmaSwizzle::kNone)
                                : swizzle == 32 ? ptx::wgmma_descriptor(shared.b, 0, 256, ptx::WgmmaSwizzle::k32Bytes)
                                                : ptx::wgmma_descriptor(shared.b, 0, 512, ptx::WgmmaSwizzle::k64Bytes);
    float accumulators[16];
    ptx::wgmma_fence();
    ptx::wgmma_bf16(accumulators, fragment, descriptor, false);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(accumulators);
    store_accumulators(d, accumulators);
}

__global__ void wgmma_int8_kernel(const int8_t* a, const int8_t* b, int32_t* d) {
    struct Shared {
        alignas(128) int8_t a[64 * 32], b[16 * 32];
    };
    Shared& shared = shared_memory<Shared>();
    const auto place = [](unsigned i) { return i / 32 / 8 * 256 + i % 32 / 16 * 128 + i / 32 % 8 * 16 + i % 16; };
    for (unsigned i = threadIdx.x; i < 64 * 32; i += 128) shared.a[place(i)] = a[i];
    for (unsigned i = threadIdx.x; i < 16 * 32; i += 128) shared.b[place(i)] = b[i];
    ptx::fence_proxy_async();
    __syncthreads();
    int32_t accumulators[8] = {};
    ptx::wgmma_fence();
    ptx::wgmma_s8(accumulators, ptx::wgmma_descriptor(shared.a, 128, 256, ptx::WgmmaSwizzle::kNone),
                  ptx::wgmma_descriptor(shared.b, 128, 256, ptx::WgmmaSwizzle::kNone), false);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(accumulators);
    const unsigned row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = 2 * (threadIdx.x % 4);
    for (unsigned r = 0; r < 8; ++r) d[(row + 8 * (r / 2 % 2)) * 16 + r / 4 * 8 + column + r % 2] = accumulators[r];
}

}  // namespace

cudaError_t bulk_copy(const void* input, void* output, uint32_t bytes) {
    return launch({.block = 32, .shared_bytes = 2176}, bulk_copy_kernel, static_cast<const unsigned char*>(input),
                  static_cast<unsigned char*>(output), bytes);
}
cudaError_t tensor_copy(const CUtensorMap& from, const CUtensorMap& to, int width, int height) {
    const dim3 grid(static_cast<unsigned>(width + 63) / 64, static_cast<unsigned>(height + 63) / 64);
    return launch({.grid = grid, .block = 32, .shared_bytes = 9216}, tensor_copy_kernel, from, to);
}
cudaError_t wgmma_gemm(const CUtensorMap& a, const CUtensorMap& b, float* d, int K, bool b_mn_major) {
    const Launch at{.block = 160, .shared_bytes = 50 * 1024};
    return b_mn_major ? launch(at, wgmma_gemm_kernel<true>, a, b, d, K) : launch(at, wgmma_gemm_kernel<false>, a, b, d, K);
}
cudaError_t wgmma_registers(const __nv_bfloat16* a, const __nv_bfloat16* b, float* d, int swizzle) {
    return launch({.block = 128, .shared_bytes = 4096}, wgmma_registers_kernel, a, b, d, swizzle);
}
cudaError_t wgmma_int8(const int8_t* a, const int8_t* b, int32_t* d) {
    return launch({.block = 128, .shared_bytes = 2560}, wgmma_int8_kernel, a, b, d);
}
