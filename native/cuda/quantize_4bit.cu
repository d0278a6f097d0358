// quantize_4bit: absmax = max |x| of a block, t = float(x) * (1.0f / absmax), code = what t's interval is called.
//
// Element 2j is the high nibble of byte j. A block of threads takes 8192 elements of a 16-bit type or 4096 of float32, which hold
// whole blocks of every size; a thread loads four runs of 16 bytes at once (block_tile.cuh) and stores 4 or 2 bytes of codes for
// each. Consecutive lanes take consecutive runs, so a warp loads 512 and stores 128 (float32: 64) contiguous bytes per instruction.
//
// Bytes per element, block size 64: 2 read (float32: 4) + 0.5 codes + 0.0625 statistics. It aims at the memory's rate: 0.64 of
// the time of a copy of the input. Per element two shared-memory lookups without conflicts (encode4.cuh), half of what the
// load-store pipe of an H200 can do at that rate, and 19 instructions for bfloat16, about as many as it can issue in 0.7.
#include <bit>

#include "core/formats.h"
#include "cuda/device/block_tile.cuh"
#include "cuda/device/encode4.cuh"
#include "cuda/device/grid.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/kernels.h"

namespace halfbyte::cuda {
namespace {

// The codes of a run, in the order of its bytes.
template <Encoding E, int N>
__device__ __forceinline__ uint32_t encode_run(const Encoder4Bit& encoder, const float (&x)[N], float inverse) {
    uint32_t word = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) encode<E>(encoder, __fmul_rn(x[i], inverse), i / 2 * 8 + (i % 2 == 0 ? 4 : 0), word);
    return word;
}

// Of `count` elements, or of a whole run.
template <int N>
__device__ __forceinline__ void store_codes(uint8_t* packed, int64_t first, int64_t count, uint32_t word, bool whole) {
    if (whole) {
        if constexpr (N == 8) ptx::store_streaming(reinterpret_cast<uint32_t*>(packed + first / 2), word);
        else __stcs(reinterpret_cast<uint16_t*>(packed + first / 2), static_cast<uint16_t>(word));
        return;
    }
#pragma unroll
    for (int i = 0; i < N; i += 2)
        if (i < count) packed[(first + i) / 2] = static_cast<uint8_t>(word >> (i * 4));
}

template <class T>
struct Shared {
    Encoder4Bit encoder;
    float absmax_of_warps[BlockTile<T>::kWarps];
};

template <class T, Encoding E>
__global__ void __launch_bounds__(BlockTile<T>::kThreads)
    quantize_4bit_kernel(const T* __restrict__ input,                    // [n]
                         const __grid_constant__ Encoder4Bit encoder,    // what became of the codebook
                         uint8_t* __restrict__ packed,                   // [(n+1)/2]
                         float* __restrict__ absmax,                     // [ceil(n/blocksize)]
                         int64_t n, int blocksize_log2, bool aligned) {  // input to 16 bytes, packed to 4
    using Tile = BlockTile<T>;
    constexpr int kElements = Tile::kElements;
    Shared<T>& shared = shared_memory<Shared<T>>();
    const int64_t first = Tile::first(blockIdx.x);
    uint4 runs[Tile::kRuns];
    const bool whole = Tile::is_whole(blockIdx.x, n, aligned);
    Tile::load(runs, input, first, n, whole);
    if (threadIdx.x < Encoder4Bit::kCells) {  // while the loads above are under way
        shared.encoder.threshold[threadIdx.x] = encoder.threshold[threadIdx.x];
        shared.encoder.code[threadIdx.x] = encoder.code[threadIdx.x];
    }
    float x[kElements], of_block[Tile::kRuns];
#pragma unroll
    for (int r = 0; r < Tile::kRuns; ++r) {
        unpack(runs[r], x, T{});
        of_block[r] = absmax_of(x);
    }
    __syncthreads();
    Tile::reduce(of_block, 1 << blocksize_log2, shared.absmax_of_warps);
#pragma unroll
    for (int r = 0; r < Tile::kRuns; ++r) {
        const int64_t i = first + r * Tile::kStride;
        if (!whole && i >= n) continue;
        if ((i & ((1 << blocksize_log2) - 1)) == 0) absmax[i >> blocksize_log2] = of_block[r];
        unpack(runs[r], x, T{});
        uint32_t word = encode_run<E>(shared.encoder, x, __frcp_rn(of_block[r]));
        if (!whole && n - i < kElements && n % 2 != 0) {  // the low nibble after the last element is the code of 0
            const int shift = static_cast<int>(n - i) / 2 * 8;
            word &= ~(15u << shift);
            encode<E>(shared.encoder, 0.0f, shift, word);
        }
        store_codes<kElements>(packed, i, n - i, word, whole);
    }
}

template <class T, Encoding E>
cudaError_t run(const Quantize4Bit& op, const Encoder4Bit& encoder, cudaStream_t stream) {
    using Tile = BlockTile<T>;
    const Launch at{.grid = dim3(static_cast<unsigned>(ceil_div(op.n, Tile::kSize))),
                    .block = Tile::kThreads,
                    .shared_bytes = sizeof(Shared<T>),
                    .stream = stream};
    const bool aligned = is_aligned(op.input, 16) && is_aligned(op.packed, 4);
    return launch(at, quantize_4bit_kernel<T, E>, static_cast<const T*>(op.input), encoder, op.packed, op.absmax, op.n,
                  std::countr_zero(static_cast<uint64_t>(op.blocksize)), aligned);
}

template <class T>
cudaError_t run(const Quantize4Bit& op, cudaStream_t stream) {
    Encoder4Bit encoder{};
    switch (encoder_of(op, encoder)) {
        case Encoding::kCells:
            return run<T, Encoding::kCells>(op, encoder, stream);
        case Encoding::kSearch:
            return run<T, Encoding::kSearch>(op, encoder, stream);
        case Encoding::kFp4:
            return run<T, Encoding::kFp4>(op, encoder, stream);
    }
    return cudaErrorInvalidValue;
}

}  // namespace

cudaError_t quantize_4bit(const Quantize4Bit& op, cudaStream_t stream) {
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
