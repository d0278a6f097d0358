// double_quantize: offset = mean(absmax), then 8-bit codes of absmax - offset in blocks of 256, by the signed dynamic map.
// double_dequantize: absmax[b] = codebook[codes[b]] * nested_absmax[b / 256] + offset, two roundings.
//
// The mean's order of additions is fixed (halfbyte.h section 8): a block of 256 threads makes the sum of a chunk of 16384, thread j
// adding elements j, j + 256, ...; the chunks' sums are then added in order by every block that needs the mean.
//
//   up to one chunk:  one launch, whose blocks each sum the chunk and then quantize a tile
//   more:             a launch that sums chunks; a launch that adds the sums and quantizes
//
// There is no workspace, so the sums lie where the first codes will: 8 bytes for each 16384. All blocks of the second launch read
// them before any may write there. Each therefore draws a number when it has read, leaves those first tiles alone, and the one that
// draws the last number makes them at the end. Nobody waits.
//
// Bytes per statistic: 4 read, twice, + 1 code + 4 / 256; a statistic stands for 32 to 4096 weights. Back: 1 read, 4 written.
#include "core/formats.h"
#include "cuda/device/block_tile.cuh"
#include "cuda/device/encode8.cuh"
#include "cuda/device/grid.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/kernels.h"

namespace halfbyte::cuda {
namespace {

using Tile = BlockTile<float>;
constexpr int kLanes = 256;
constexpr int kChunk = 16384;
static_assert(Tile::kThreads == kLanes && kNestedBlocksize <= Tile::kWarpElements);

// What the first launch leaves for the second, in the memory of the codes.
struct Scratch {
    double* sums;    // [chunks]
    uint32_t* turn;  // how many blocks have read the sums
    int64_t bytes;   // of codes, from the first on, that lie under it

    __device__ Scratch(uint8_t* codes, int64_t chunks) {
        const auto address = (reinterpret_cast<uintptr_t>(codes) + 7) / 8 * 8;
        sums = reinterpret_cast<double*>(address);
        turn = reinterpret_cast<uint32_t*>(sums + chunks);
        bytes = reinterpret_cast<uint8_t*>(turn + 1) - codes;
    }
};

struct SumShared {
    double lanes[kLanes];
};

// The sum of up to kChunk values; in thread 0 alone.
__device__ __forceinline__ double sum_of_chunk(const float* values, int64_t count, SumShared& shared) {
    constexpr int kAtOnce = 16;  // loads under way, of a lane's 64
    double sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += kAtOnce * kLanes) {
        float loaded[kAtOnce];
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j)
            if (i + j * kLanes < count) loaded[j] = __ldg(values + i + j * kLanes);
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j)
            if (i + j * kLanes < count) sum += static_cast<double>(loaded[j]);
    }
    shared.lanes[threadIdx.x] = sum;
    for (int stride = kLanes / 2; stride > 0; stride /= 2) {
        __syncthreads();
        if (static_cast<int>(threadIdx.x) < stride) shared.lanes[threadIdx.x] = sum += shared.lanes[threadIdx.x + stride];
    }
    return sum;
}

__global__ void __launch_bounds__(kLanes) sum_chunks_kernel(const float* __restrict__ absmax,  // [count]
                                                            int64_t count, uint8_t* codes) {   // a Scratch
    const int64_t first = static_cast<int64_t>(blockIdx.x) * kChunk;
    const double sum = sum_of_chunk(absmax + first, min(count - first, int64_t{kChunk}), shared_memory<SumShared>());
    const Scratch scratch(codes, gridDim.x);
    if (threadIdx.x != 0) return;
    scratch.sums[blockIdx.x] = sum;
    if (blockIdx.x == 0) *scratch.turn = 0;
}

struct Shared {
    Encoder8Bit encoder;
    SumShared sum;
    float offset;
    bool is_last;
};

// Quantizes a tile of centered statistics.
__device__ __forceinline__ void quantize_tile(const Encoder8Bit& encoder, int64_t tile, const float* absmax, int64_t count,
                                              float offset, uint8_t* codes, float* nested_absmax, bool aligned) {
    const int64_t first = Tile::first(tile);
    uint4 runs[Tile::kRuns];
    const bool whole = Tile::is_whole(tile, count, aligned);
    Tile::load(runs, absmax, first, count, whole);
    float x[Tile::kRuns][4], of_block[Tile::kRuns];
#pragma unroll
    for (int r = 0; r < Tile::kRuns; ++r) {
        unpack(runs[r], x[r], float{});
#pragma unroll
        for (int j = 0; j < 4; ++j)  // beyond the end there is nothing to center
            x[r][j] = whole || first + r * Tile::kStride + j < count ? __fsub_rn(x[r][j], offset) : 0.0f;
        of_block[r] = absmax_of(x[r]);
    }
    Tile::reduce_in_warp(of_block, kNestedBlocksize);
#pragma unroll
    for (int r = 0; r < Tile::kRuns; ++r) {
        const int64_t i = first + r * Tile::kStride;
        if (!whole && i >= count) continue;
        if (i % kNestedBlocksize == 0) nested_absmax[i / kNestedBlocksize] = of_block[r];
        const float inverse = __frcp_rn(of_block[r]);
        uint32_t words[1] = {};
#pragma unroll
        for (int j = 0; j < 4; ++j) words[0] |= encode(encoder, __fmul_rn(x[r][j], inverse)) << (j * 8);
        store_codes(codes + i, words, count - i, whole);
    }
}

__global__ void __launch_bounds__(kLanes)
    double_quantize_kernel(const float* __restrict__ absmax,                    // [count]
                           int64_t count, uint8_t* codes,                       // [count]; where there are chunks, a Scratch first
                           float* __restrict__ nested_absmax,                   // [ceil(count/256)]
                           float* __restrict__ offset,                          // [1]
                           const __grid_constant__ Codebook256Source codebook,  // [256]
                           bool aligned) {                                      // to 16 bytes and to 4
    Shared& shared = shared_memory<Shared>();
    const int64_t chunks = count / kChunk + (count % kChunk != 0);
    const Scratch scratch(codes, chunks);
    double total = 0;
    if (chunks == 1) {
        total += sum_of_chunk(absmax, count, shared.sum);
    } else if (threadIdx.x == 0) {
#pragma unroll 8
        for (int64_t c = 0; c < chunks; ++c) total += __ldcg(scratch.sums + c);
    }
    if (threadIdx.x == 0) {
        shared.offset = __double2float_rn(total / static_cast<double>(count));
        if (blockIdx.x == 0) offset[0] = shared.offset;
        shared.is_last = chunks > 1 && ptx::add_acquire_release(scratch.turn, 1) == gridDim.x - 1;
    }
    prepare(shared.encoder, codebook);
    const float mean = shared.offset;
    const bool is_last = shared.is_last;

    const int64_t kept = chunks > 1 ? (scratch.bytes + Tile::kSize - 1) / Tile::kSize : 0;  // tiles for the last block
    for (int64_t tile = kept + blockIdx.x; tile * Tile::kSize < count; tile += gridDim.x)
        quantize_tile(shared.encoder, tile, absmax, count, mean, codes, nested_absmax, aligned);
    if (!is_last) return;
    for (int64_t tile = 0; tile < kept; ++tile)
        quantize_tile(shared.encoder, tile, absmax, count, mean, codes, nested_absmax, aligned);
}

struct Codebook {
    float values[256];
};

__global__ void __launch_bounds__(kLanes) double_dequantize_kernel(const uint8_t* __restrict__ codes,        // [count]
                                                                   const float* __restrict__ nested_absmax,  // [ceil(count/256)]
                                                                   const float* __restrict__ offset,         // [1]
                                                                   const __grid_constant__ Codebook256Source codebook,  // [256]
                                                                   int64_t count, float* __restrict__ absmax,           // [count]
                                                                   bool aligned) {  // codes to 4 bytes, absmax to 16
    Codebook& shared = shared_memory<Codebook>();
    load_codebook(shared.values, codebook);
    __syncthreads();
    const float mean = __ldg(offset);
    const int64_t runs = (count + 3) / 4;
    for (int64_t run = static_cast<int64_t>(blockIdx.x) * kLanes + threadIdx.x; run < runs; run += int64_t{gridDim.x} * kLanes) {
        const int64_t i = run * 4;
        const float scale = __ldg(nested_absmax + i / kNestedBlocksize);
        const auto value = [&](unsigned code) { return __fadd_rn(__fmul_rn(shared.values[code], scale), mean); };
        if (aligned && i + 4 <= count) {
            const uint32_t word = ptx::load_streaming(reinterpret_cast<const uint32_t*>(codes + i));
            const float values[4] = {value(word & 255), value(word >> 8 & 255), value(word >> 16 & 255), value(word >> 24)};
            *reinterpret_cast<uint4*>(absmax + i) = pack(values, float{});
        } else {
            for (int j = 0; j < 4 && i + j < count; ++j) absmax[i + j] = value(codes[i + j]);
        }
    }
}

}  // namespace

cudaError_t double_quantize(const DoubleQuantize& op, cudaStream_t stream) {
    if (op.count == 0) return cudaMemsetAsync(op.offset, 0, sizeof(float), stream);
    const int64_t chunks = ceil_div(op.count, kChunk), tiles = ceil_div(op.count, Tile::kSize);
    cudaError_t status = cudaSuccess;
    if (chunks > 1) {
        const Launch at{
            .grid = dim3(static_cast<unsigned>(chunks)), .block = kLanes, .shared_bytes = sizeof(SumShared), .stream = stream};
        status = launch(at, sum_chunks_kernel, op.absmax, op.count, op.codes);
        if (status != cudaSuccess) return status;
    }
    Launch at{.block = kLanes, .shared_bytes = sizeof(Shared), .stream = stream};
    status = persistent_grid(tiles, 4, &at.grid);
    if (status != cudaSuccess) return status;
    return launch(at, double_quantize_kernel, op.absmax, op.count, op.codes, op.nested_absmax, op.offset,
                  Codebook256Source(nullptr), is_aligned(op.absmax, 16) && is_aligned(op.codes, 4));
}

cudaError_t double_dequantize(const DoubleDequantize& op, cudaStream_t stream) {
    if (op.count == 0) return cudaSuccess;
    Launch at{.block = kLanes, .shared_bytes = sizeof(Codebook), .stream = stream};
    const cudaError_t status = persistent_grid(ceil_div(op.count, 4 * kLanes), 8, &at.grid);
    if (status != cudaSuccess) return status;
    return launch(at, double_dequantize_kernel, op.codes, op.nested_absmax, op.offset, Codebook256Source(op.codebook), op.count,
                  op.absmax, is_aligned(op.codes, 4) && is_aligned(op.absmax, 16));
}

}  // namespace halfbyte::cuda
