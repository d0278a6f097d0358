// Calls every function of device/ptx once. nvcc compiles this file for every architecture, so the assembler checks each
// instruction; the emulator's headers compile it too, so their functions cannot drift from the real ones. It is not run.
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/ptx/cluster.cuh"
#include "cuda/device/ptx/mbarrier.cuh"
#include "cuda/device/ptx/registers.cuh"
#include "cuda/device/ptx/tma.cuh"
#include "cuda/device/ptx/wgmma.cuh"
#include "cuda/device/smem.cuh"

namespace halfbyte::cuda {
namespace {

struct Shared {
    alignas(1024) unsigned char tile[16384];
    uint64_t barrier;
};

__global__ void every_instruction_of_all(uint4* wide, uint2* pair, uint32_t* word, float* f, int32_t* i) {
    Shared& shared = shared_memory<Shared>();
    *word = ptx::prmt(word[0], word[1], 0x5410u) ^ ptx::lop3<(0xf0 & 0xcc) | 0xaa>(word[0], word[1], word[2]) ^
            static_cast<uint32_t>(ptx::lane_id());
    ptx::barrier_sync(1, 64);
    ptx::barrier_arrive(2, 64);
    ptx::grid_dependency_wait();
    ptx::grid_dependency_launch();
    ptx::prefetch_l2(word);
    ptx::store_streaming(wide, ptx::load_streaming(wide + 1));
    ptx::store_streaming(wide, ptx::load_streaming<128>(wide + 1));
    ptx::store_streaming(pair, ptx::load_streaming(pair + 1));
    ptx::store_streaming(pair, ptx::load_streaming<128>(pair + 1));
    ptx::store_streaming(wide, ptx::load_coherent(wide + 1));
    ptx::store_streaming(pair, ptx::load_coherent(pair + 1));
    ptx::store_streaming(pair, ptx::load_coherent_streaming(pair + 1));
    ptx::store_streaming(pair, ptx::load_coherent_streaming<128>(pair + 1));
    ptx::store_streaming(pair, ptx::load_coherent_streaming<256>(pair + 1));
    *f = ptx::load_coherent(f + 1);
    *word = ptx::load_coherent(word + 1) + ptx::load_coherent(reinterpret_cast<const uint8_t*>(word));
    ptx::store_streaming(word, ptx::load_streaming(word + 1));
    ptx::store_release(word, ptx::load_acquire(word + 1) + ptx::add_acquire_release(word, 1));
    uint32_t one[1], two[2], four[4];
    ptx::load_matrix(one, shared.tile);
    ptx::load_matrix(two, shared.tile);
    ptx::load_matrix(four, shared.tile);
    ptx::load_matrix_transposed(one, shared.tile);
    ptx::load_matrix_transposed(two, shared.tile);
    ptx::load_matrix_transposed(four, shared.tile);
    float d[4] = {};
    int32_t s[2] = {};
    ptx::mma_m16n8k8_f16(d, two, one);
    ptx::mma_m8n8k16_s8(s, one, one);
    f[0] = d[0] + d[1] + d[2] + d[3];
    i[0] = s[0] + s[1] + static_cast<int32_t>(four[0]);
}

__global__ void every_instruction_since_sm_80(uint4* wide, uint2* pair, float* f, int32_t* i) {
    Shared& shared = shared_memory<Shared>();
    const uint64_t first = ptx::policy_evict_first(), last = ptx::policy_evict_last();
    ptx::store_streaming(wide, ptx::load_streaming(wide + 1, first));
    ptx::store_streaming(wide, ptx::load_streaming<256>(wide + 1));
    ptx::store_streaming(wide, ptx::load_streaming<128>(wide + 1, first));
    ptx::store_streaming(wide, ptx::load_streaming<256>(wide + 1, first));
    ptx::store_streaming(pair, ptx::load_streaming(pair + 1, first));
    ptx::store_streaming(pair, ptx::load_streaming<256>(pair + 1));
    ptx::store_streaming(pair, ptx::load_streaming<128>(pair + 1, first));
    ptx::store_streaming(pair, ptx::load_streaming<256>(pair + 1, first));
    ptx::copy_async<4>(shared.tile, wide);
    ptx::copy_async<8>(shared.tile, wide, 4);
    ptx::copy_async<16>(shared.tile, wide);
    ptx::copy_async_streaming(shared.tile, wide);
    ptx::copy_async_streaming(shared.tile, wide, 12, last);
    ptx::copy_async_commit();
    ptx::copy_async_wait<1>();
    ptx::copy_async_wait_all();
    uint32_t four[4], two[2];
    ptx::load_matrix(four, shared.tile);
    ptx::load_matrix(two, shared.tile);
    float d[4] = {};
    int32_t s[4] = {};
    ptx::mma_m16n8k16_f16(d, four, two);
    ptx::mma_m16n8k16_bf16(d, four, two);
    ptx::mma_m16n8k32_s8(s, four, two);
    for (int e = 0; e < 4; ++e) f[e] = d[e], i[e] = s[e];
}

__global__ void every_instruction_of_hopper(const __grid_constant__ CUtensorMap map, uint4* wide, uint32_t* word) {
    Shared& shared = shared_memory<Shared>();
    ptx::mbarrier_init(&shared.barrier, 1);
    ptx::fence_mbarrier_init();
    ptx::tensor_prefetch(&map);
    ptx::mbarrier_arrive_expect(&shared.barrier, 64);
    ptx::mbarrier_arrive(&shared.barrier);
    ptx::mbarrier_arrive_after_copies(&shared.barrier);
    ptx::bulk_load(shared.tile, wide, 64, &shared.barrier);
    ptx::bulk_load(shared.tile, wide, 64, &shared.barrier, ptx::policy_evict_first());
    ptx::tensor_load(shared.tile, &map, 0, 0, &shared.barrier);
    ptx::tensor_load(shared.tile, &map, 0, 0, &shared.barrier, ptx::policy_evict_last());
    ptx::mbarrier_wait(&shared.barrier, 0);
    if (ptx::mbarrier_test_wait(&shared.barrier, 0)) ptx::mbarrier_invalidate(&shared.barrier);
    uint32_t four[4] = {word[0], word[1], word[2], word[3]};
    const uint32_t one[1] = {word[0]}, two[2] = {word[0], word[1]};
    ptx::store_matrix(shared.tile, one);
    ptx::store_matrix(shared.tile, two);
    ptx::store_matrix(shared.tile, four);
    ptx::store_matrix_transposed(shared.tile, one);
    ptx::store_matrix_transposed(shared.tile, two);
    ptx::store_matrix_transposed(shared.tile, four);
    ptx::fence_proxy_async();
    ptx::bulk_store(wide, shared.tile, 64);
    ptx::tensor_store(&map, 0, 0, shared.tile);
    ptx::bulk_commit();
    ptx::bulk_wait_read<0>();
    ptx::bulk_wait<0>();
}

__global__ void every_instruction_of_a_cluster(const __grid_constant__ CUtensorMap map, float4* wide, float* f, uint32_t* word) {
    Shared& shared = shared_memory<Shared>();
    ptx::cluster_arrive_relaxed();
    ptx::cluster_wait();
    ptx::cluster_arrive();
    ptx::cluster_wait();
    const uint32_t address = ptx::cluster_address(shared.tile, (ptx::cluster_rank() + 1) % ptx::cluster_size());
    *wide = ptx::load_cluster<float4>(address);
    *f = ptx::load_cluster<float>(address + 16);
    *word = ptx::load_cluster<uint32_t>(address + 20);
    ptx::store_cluster(address, *wide);
    ptx::store_cluster(address + 16, *f);
    ptx::store_cluster(address + 20, *word);
    ptx::mbarrier_arrive_cluster(ptx::cluster_address(&shared.barrier, 0));
    ptx::mbarrier_arrive_cluster_as_reader(ptx::cluster_address(&shared.barrier, 0));
    ptx::tensor_load_multicast(shared.tile, &map, 0, 0, &shared.barrier, 3);
    if (ptx::mbarrier_try_wait_cluster(&shared.barrier, 0)) ptx::mbarrier_wait_cluster(&shared.barrier, 1);
}

__global__ void __launch_bounds__(256, 1) every_exchange_of_registers() {
    if (threadIdx.x < 128) ptx::registers_decrease<24>();
    else ptx::registers_increase<240>();
}

template <int N>
__global__ void every_wgmma(float* f, int32_t* i, const uint32_t* word) {
    Shared& shared = shared_memory<Shared>();
    const uint64_t a = ptx::wgmma_descriptor(shared.tile, 16, 1024, ptx::WgmmaSwizzle::k128Bytes);
    const uint64_t b = ptx::wgmma_descriptor(shared.tile, 16, 256, ptx::WgmmaSwizzle::k32Bytes);
    const uint32_t four[4] = {word[0], word[1], word[2], word[3]};
    float d[N / 2] = {};
    int32_t s[N / 2] = {};
    ptx::wgmma_fence();
    ptx::wgmma_bf16(d, a, b, true);
    ptx::wgmma_bf16<true, true>(d, a, b, true);
    ptx::wgmma_bf16<true>(d, four, b, true);
    ptx::wgmma_f16(d, a, b, true);
    ptx::wgmma_f16(d, four, b, word[0] != 0);
    ptx::wgmma_commit();
    ptx::wgmma_wait<1>();
    ptx::wgmma_wait<0>(d);
    for (int e = 0; e < N / 2; ++e) f[e * 128 + threadIdx.x] = d[e];
    ptx::wgmma_fence();
    ptx::wgmma_s8(s, a, b, true);
    ptx::wgmma_s8(s, four, b, true);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(s);
    for (int e = 0; e < N / 2; ++e) i[e * 128 + threadIdx.x] = s[e];
}

}  // namespace

// Launchers, so that the kernels exist.
cudaError_t every_instruction(cudaStream_t stream, const CUtensorMap& map, uint4* wide, uint2* pair, uint32_t* word, float* f,
                              int32_t* i) {
    const Launch at{.block = 128, .shared_bytes = sizeof(Shared), .stream = stream, .overlaps_predecessor = true};
    cudaError_t status = launch(at, every_instruction_of_all, wide, pair, word, f, i);
    if (status == cudaSuccess) status = launch(at, every_instruction_since_sm_80, wide, pair, f, i);
    if (status == cudaSuccess) status = launch(at, every_instruction_of_hopper, map, wide, word);
    if (status == cudaSuccess)
        status = launch({.grid = 2, .block = 32, .shared_bytes = sizeof(Shared), .stream = stream, .cluster = 2},
                        every_instruction_of_a_cluster, map, reinterpret_cast<float4*>(wide), f, word);
    if (status == cudaSuccess) status = launch({.block = 256, .stream = stream}, every_exchange_of_registers);
    if (status == cudaSuccess) status = launch(at, every_wgmma<8>, f, i, word);
    if (status == cudaSuccess) status = launch(at, every_wgmma<16>, f, i, word);
    if (status == cudaSuccess) status = launch(at, every_wgmma<32>, f, i, word);
    if (status == cudaSuccess) status = launch(at, every_wgmma<64>, f, i, word);
    if (status == cudaSuccess) status = launch(at, every_wgmma<128>, f, i, word);
    if (status == cudaSuccess) status = launch(at, every_wgmma<256>, f, i, word);
    return status;
}

}  // namespace halfbyte::cuda
