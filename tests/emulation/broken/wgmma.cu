// wgmma used too early, setmaxnreg by a part of a warpgroup. In a file of their own: the instructions are sm_90a's alone.
#include "broken.h"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx/mbarrier.cuh"
#include "cuda/device/ptx/registers.cuh"
#include "cuda/device/ptx/tma.cuh"
#include "cuda/device/ptx/wgmma.cuh"
#include "cuda/device/smem.cuh"

using namespace halfbyte::cuda;

namespace {

struct Tiles {
    alignas(128) __nv_bfloat16 a[64 * 16], b[8 * 16];
};

__global__ void wgmma_read_too_early_kernel(float* output) {
    Tiles& shared = shared_memory<Tiles>();
    const __nv_bfloat16 one = __float2bfloat16(1.0f);
    for (unsigned i = threadIdx.x; i < 64 * 16; i += 128) shared.a[i] = one;
    if (threadIdx.x < 8 * 16) shared.b[threadIdx.x] = one;
    ptx::fence_proxy_async();
    __syncthreads();
    float d[4] = {};
    ptx::wgmma_fence();
    ptx::wgmma_bf16(d, ptx::wgmma_descriptor(shared.a, 128, 256, ptx::WgmmaSwizzle::kNone),
                    ptx::wgmma_descriptor(shared.b, 128, 256, ptx::WgmmaSwizzle::kNone), false);
    ptx::wgmma_commit();
    output[threadIdx.x] = d[0];
}

__global__ void wgmma_issued_too_early_kernel(const __nv_bfloat16* input, float* output) {
    struct Shared {
        Tiles tiles;
        uint64_t barrier;
    };
    Shared& shared = shared_memory<Shared>();
    if (threadIdx.x == 0) {
        ptx::mbarrier_init(&shared.barrier, 1);
        ptx::fence_mbarrier_init();
        ptx::mbarrier_arrive_expect(&shared.barrier, sizeof shared.tiles);
        ptx::bulk_load(&shared.tiles, input, sizeof shared.tiles, &shared.barrier);
    }
    __syncthreads();
    float d[4] = {};
    ptx::wgmma_fence();
    ptx::wgmma_bf16(d, ptx::wgmma_descriptor(shared.tiles.a, 128, 256, ptx::WgmmaSwizzle::kNone),
                    ptx::wgmma_descriptor(shared.tiles.b, 128, 256, ptx::WgmmaSwizzle::kNone), false);
    ptx::wgmma_commit();
    __syncthreads();
    ptx::mbarrier_wait(&shared.barrier, 0);
    ptx::wgmma_wait<0>();
    output[threadIdx.x] = d[0];
}

__global__ void wgmma_without_second_fence_kernel(float* output) {
    Tiles& shared = shared_memory<Tiles>();
    const __nv_bfloat16 one = __float2bfloat16(1.0f);
    if (threadIdx.x < 8 * 16) shared.b[threadIdx.x] = one;
    ptx::fence_proxy_async();
    __syncthreads();
    const uint64_t b = ptx::wgmma_descriptor(shared.b, 128, 256, ptx::WgmmaSwizzle::kNone);
    float d[4] = {};
    uint32_t first[4] = {}, second[4] = {};
    ptx::wgmma_fence();
    ptx::wgmma_bf16(d, first, b, true);
    ptx::wgmma_commit();
    second[0] = threadIdx.x;
    ptx::wgmma_bf16(d, second, b, true);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>();
    output[threadIdx.x] = d[0];
}

__global__ void __launch_bounds__(128, 1) registers_of_one_warp_kernel(int32_t* output) {
    if (threadIdx.x < 32) ptx::registers_decrease<40>();
    output[threadIdx.x] = 1;
}

}  // namespace

cudaError_t wgmma_read_too_early(float* output) {
    return launch({.block = 128, .shared_bytes = sizeof(Tiles)}, wgmma_read_too_early_kernel, output);
}
cudaError_t wgmma_issued_too_early(const __nv_bfloat16* input, float* output) {
    return launch({.block = 128, .shared_bytes = sizeof(Tiles) + 128}, wgmma_issued_too_early_kernel, input, output);
}
cudaError_t wgmma_without_second_fence(float* output) {
    return launch({.block = 128, .shared_bytes = sizeof(Tiles)}, wgmma_without_second_fence_kernel, output);
}
cudaError_t registers_of_one_warp(int32_t* output) { return launch({.block = 128}, registers_of_one_warp_kernel, output); }
