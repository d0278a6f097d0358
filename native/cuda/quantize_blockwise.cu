// quantize_blockwise: absmax = max |x| of a block, t = float(x) * (1.0f / absmax), code = the nearest value of the codebook.
//
// A block of threads takes tiles of 8192 elements of a 16-bit type or 4096 of float32, which hold whole blocks of every size; a
// thread loads four runs of 16 bytes at once (block_tile.cuh) and stores 8 or 4 bytes of codes for each. Consecutive lanes take
// consecutive runs, so a warp loads 512 and stores 256 (float32: 128) contiguous bytes per instruction.
//
// Bytes per element: 4 read (16-bit types: 2) + 1 code + 4 / blocksize statistics. It aims at the memory's rate: 0.63 of the time
// of a copy of a float32 input. Per element two lookups in shared memory (encode8.cuh) with the conflicts that data brings: seven
// passes where lanes are random, of the ten that there is time for.
#include <bit>

#include "core/formats.h"
#include "cuda/device/block_tile.cuh"
#include "cuda/device/encode8.cuh"
#include "cuda/device/grid.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/kernels.h"

namespace halfbyte::cuda {
namespace {

template <class T>
struct Shared {
    Encoder8Bit encoder;
    float absmax_of_warps[2][BlockTile<T>::kWarps];  // of this tile and the last: one barrier a tile is then enough
};

template <class T>
__global__ void __launch_bounds__(BlockTile<T>::kThreads)
    quantize_blockwise_kernel(const T* __restrict__ input,                         // [n]
                              const __grid_constant__ Codebook256Source codebook,  // [256]
                              uint8_t* __restrict__ codes,                         // [n]
                              float* __restrict__ absmax,                          // [ceil(n/blocksize)]
                              int64_t n, int blocksize_log2, bool aligned) {       // input to 16 bytes, codes to a run's
    using Tile = BlockTile<T>;
    constexpr int kElements = Tile::kElements;
    Shared<T>& shared = shared_memory<Shared<T>>();
    prepare(shared.encoder, codebook);
    int turn = 0;
    for (int64_t tile = blockIdx.x; tile * Tile::kSize < n; tile += gridDim.x, turn ^= 1) {
        const int64_t first = Tile::first(tile);
        uint4 runs[Tile::kRuns];
        const bool whole = Tile::is_whole(tile, n, aligned);
        Tile::load(runs, input, first, n, whole);
        float x[kElements], of_block[Tile::kRuns];
#pragma unroll
        for (int r = 0; r < Tile::kRuns; ++r) {
            unpack(runs[r], x, T{});
            of_block[r] = absmax_of(x);
        }
        Tile::reduce(of_block, 1 << blocksize_log2, shared.absmax_of_warps[turn]);
#pragma unroll
        for (int r = 0; r < Tile::kRuns; ++r) {
            const int64_t i = first + r * Tile::kStride;
            if (!whole && i >= n) continue;
            if ((i & ((1 << blocksize_log2) - 1)) == 0) absmax[i >> blocksize_log2] = of_block[r];
            const float inverse = __frcp_rn(of_block[r]);
            unpack(runs[r], x, T{});
            uint32_t words[kElements / 4] = {};
#pragma unroll
            for (int j = 0; j < kElements; ++j) words[j / 4] |= encode(shared.encoder, __fmul_rn(x[j], inverse)) << (j % 4 * 8);
            store_codes(codes + i, words, n - i, whole);
        }
    }
}

template <class T>
cudaError_t run(const QuantizeBlockwise& op, cudaStream_t stream) {
    using Tile = BlockTile<T>;
    Launch at{.block = Tile::kThreads, .shared_bytes = sizeof(Shared<T>), .stream = stream};
    const cudaError_t status = persistent_grid(ceil_div(op.n, Tile::kSize), 4, &at.grid);
    if (status != cudaSuccess) return status;
    const bool aligned = is_aligned(op.input, 16) && is_aligned(op.codes, Tile::kElements);
    return launch(at, quantize_blockwise_kernel<T>, static_cast<const T*>(op.input), Codebook256Source(op.codebook), op.codes,
                  op.absmax, op.n, std::countr_zero(static_cast<uint64_t>(op.blocksize)), aligned);
}

}  // namespace

cudaError_t quantize_blockwise(const QuantizeBlockwise& op, cudaStream_t stream) {
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
