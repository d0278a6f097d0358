// Launchers of the emulator's test kernels. The kernels are ordinary CUDA: nvcc compiles them too.
#pragma once

#include <cuda.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

// ---- warps and blocks (warp.cu) ------------------------------------------------------------------------------------------------

// sums[b] = the sum of block b's 256 elements, by shuffles, shared memory and barriers.
cudaError_t sum_blocks(const int32_t* input, int32_t* sums, unsigned blocks);
// counts[v] = how often v (0 to 15) occurs among n values: atomics in shared memory, then in global memory.
cudaError_t histogram(const uint32_t* values, uint32_t* counts, unsigned n);
// Eight results per lane of one warp; see the kernel.
cudaError_t warp_functions(uint32_t* results);
// A producer and a consumer warp exchange `rounds` values through one word, by named barriers.
cudaError_t named_barriers(uint32_t* received, int rounds);
// The last block to finish writes the number of blocks: a ticket counter in global memory.
cudaError_t last_block(uint32_t* ticket, uint32_t* result, unsigned blocks);
// sums[b] = 0 + 1 + ... + b, by blocks that wait for the one before.
cudaError_t in_turn(uint32_t* turn, uint32_t* sums, unsigned blocks);
// The transpose of a 32 x 32 matrix of words, through shared memory rows of `pitch` words.
cudaError_t transpose(const uint32_t* input, uint32_t* output, int pitch);
// output[i] = input[i] for n vectors of 16 bytes.
cudaError_t copy_vectors(const uint4* input, uint4* output, unsigned n);
// A kernel is launched with 60 KB of shared memory, then with 50, then with 60 by one who has asked before the second launch.
cudaError_t shared_memory_asked_for_in_turns(uint32_t* result);

// ---- overlapping kernels (overlap.cu) ------------------------------------------------------------------------------------------

// scratch[i] = 2 input[i] by a first kernel, output[i] = scratch[n - 1 - i] + addend[i] by a second one that overlaps it; then the
// input becomes zero. Every thread waits for the first kernel, or thread 0 does and the others for it. n is a multiple of 64.
cudaError_t double_and_add(int32_t* input, const int32_t* addend, int32_t* scratch, int32_t* output, int n,
                           bool every_thread_waits);

// ---- tensor cores (mma.cu) -----------------------------------------------------------------------------------------------------

// c[M, N] = a[M, K] * b[N, K]^T for M, N multiples of 64 and K of 32: cp.async, ldmatrix, mma; 128 threads.
cudaError_t gemm_bf16(const __nv_bfloat16* a, const __nv_bfloat16* b, float* c, int M, int N, int K);
// One warp's product of each kind, operands loaded by their fragment maps: a[rows, k], b[8, k], d[rows, 8].
cudaError_t mma_f16_k16(const __half* a, const __half* b, float* d);
cudaError_t mma_f16_k8(const __half* a, const __half* b, float* d);
cudaError_t mma_s8_k32(const int8_t* a, const int8_t* b, int32_t* d);
cudaError_t mma_s8_k16(const int8_t* a, const int8_t* b, int32_t* d);
// d[16, 8] = a[16, 16] * b[16, 8], b row-major in shared memory: ldmatrix.trans; then stmatrix and back.
cudaError_t mma_transposed(const __nv_bfloat16* a, const __nv_bfloat16* b, float* d, uint32_t* stored);
// stored[6][4][8 x 8 of 16 bits]: the first 1, 2 and 4 matrices by stmatrix of lane l's registers[l][4], and transposed.
cudaError_t store_matrices(const uint32_t* registers, uint32_t* stored);

// ---- clusters (cluster.cu) -----------------------------------------------------------------------------------------------------

// sums[c] = the sum of the 64 elements of each block of cluster c.
cudaError_t sum_by_clusters(const float* input, float* sums, unsigned blocks, unsigned cluster);
// Each block's 64 vectors, and its rank, `rounds` blocks further in its cluster.
cudaError_t pass_around(const float4* input, float4* output, uint32_t* ranks, unsigned blocks, unsigned cluster, int rounds);
// output[r - 1][round] = input[round] + r, for the blocks r from 1 on of one cluster, handed over by mbarriers.
cudaError_t feed(const uint32_t* input, uint32_t* output, unsigned cluster, int rounds);

// output[block][tile] = rows [8 * cluster * tile, 8 * cluster * (tile + 1)) of 64 elements, for the blocks of two clusters, each of
// which brings 8 of them to all others of its cluster.
cudaError_t share_tiles(const CUtensorMap& from, uint16_t* output, unsigned cluster, int tiles);

// ---- Hopper (hopper.cu) --------------------------------------------------------------------------------------------------------

// output = input, `bytes` bytes (a multiple of 1024), by bulk copies in and out.
cudaError_t bulk_copy(const void* input, void* output, uint32_t bytes);
// Boxes of 64 x 64 elements of 16 bits through shared memory and back.
cudaError_t tensor_copy(const CUtensorMap& from, const CUtensorMap& to, int width, int height);
// d[64, 64] = a[64, K] * b[64, K]^T (b_mn_major: b[K, 64]), tiles by TMA with 128-byte swizzle, wgmma from shared memory.
cudaError_t wgmma_gemm(const CUtensorMap& a, const CUtensorMap& b, float* d, int K, bool b_mn_major);
// d[64, 32] = a[64, 16] * b[32, 16]^T, A from registers; `swizzle` of B's rows: 0 (none), 32, 64.
cudaError_t wgmma_registers(const __nv_bfloat16* a, const __nv_bfloat16* b, float* d, int swizzle);
// d[64, 16] = a[64, 32] * b[16, 32]^T in int8, both in shared memory without swizzle.
cudaError_t wgmma_int8(const int8_t* a, const int8_t* b, int32_t* d);
