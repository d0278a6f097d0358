// lookup_4bit: output[m, k] = codebook[code(i)] * absmax(i / blocksize), i = indices[m] * K + k, rounded once to the output type.
//
// A run is one aligned 16-byte segment of the output: 8 elements of a 16-bit type, 4 of float32. A warp takes kRuns * 32
// consecutive runs of one row, so it reads one index and its stores are contiguous; it loads the bytes of all its runs before it
// uses the first. Where rows of both sides are aligned, a run is one word of codes and of one block. Where they are not (K or
// ldoutput odd to 16 bytes, a tensor at an odd address), the first and the last run of a row are partial and made element by
// element; the others gather their codes byte by byte, from any nibble on, and may meet two blocks. A row whose index is out of
// range reads nothing: its statistics are NaN, and so are its values.
//
// Bytes per element, block size 64: 0.5 packed + 0.0625 statistics (nested: 0.0157) + 2 written (float32: 4), and 4 or 8 per row.
// It aims at the memory's rate, as dequantize_4bit does; a few rows cost a launch.
#include "core/operations.h"
#include "cuda/device/codebook16.cuh"
#include "cuda/device/element.cuh"
#include "cuda/device/grid.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/device/statistics.cuh"
#include "cuda/kernels.h"

namespace halfbyte::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kRuns = 4;  // per lane: 64 bytes of stores in flight
constexpr int kRunsPerPiece = kRuns * 32;

template <class T>
struct Rows {
    const uint8_t* packed;  // [(N*K+1)/2]
    Statistics statistics;  // [ceil(N*K/blocksize)]
    const void* indices;    // [M], int64 or int32
    bool wide_indices;
    T* output;  // [M, K], rows ldoutput apart
    int64_t N, K, M, ldoutput;
    int64_t pieces;  // per row: what one warp takes at a time
};

struct Shared {
    float codebook[16];
};

// Codes and statistics of a run, on their way from memory. Code e is at bits 28 - 4 * e of `codes`; elements from `next` on are of
// the next block.
struct Run {
    uint32_t codes;
    float absmax, absmax_next;
    int next;
};

// kElements codes from flat element i on, which starts a word of a block.
template <bool Nested>
__device__ __forceinline__ Run load_aligned(const uint8_t* packed, const Statistics& statistics, int64_t i, __half) {
    const uint32_t word = ptx::load_streaming(reinterpret_cast<const uint32_t*>(packed + i / 2));
    return {__byte_perm(word, 0, 0x0123), absmax_at<Nested>(statistics, i), 0, 8};
}
template <bool Nested>
__device__ __forceinline__ Run load_aligned(const uint8_t* packed, const Statistics& statistics, int64_t i, __nv_bfloat16) {
    return load_aligned<Nested>(packed, statistics, i, __half{});
}
template <bool Nested>
__device__ __forceinline__ Run load_aligned(const uint8_t* packed, const Statistics& statistics, int64_t i, float) {
    const uint32_t half = __ldcs(reinterpret_cast<const uint16_t*>(packed + i / 2));
    return {__byte_perm(half, 0, 0x0144), absmax_at<Nested>(statistics, i), 0, 4};
}

// The same from any element on. An odd one starts in the middle of a byte, and then there is one byte more to read.
template <bool Nested, int Elements>
__device__ __forceinline__ Run load_anywhere(const uint8_t* packed, const Statistics& statistics, int64_t i) {
    const int odd = static_cast<int>(i & 1);
    const uint8_t* bytes = packed + (i >> 1);
    uint64_t codes = 0;
#pragma unroll
    for (int j = 0; j < Elements / 2; ++j) codes |= static_cast<uint64_t>(bytes[j]) << (56 - 8 * j);
    if (odd != 0) codes |= static_cast<uint64_t>(bytes[Elements / 2]) << (56 - 4 * Elements);
    const int64_t left = (((i >> statistics.shift) + 1) << statistics.shift) - i;  // in the block of i
    const float absmax = absmax_at<Nested>(statistics, i);
    return {static_cast<uint32_t>(codes << 4 * odd >> 32), absmax,
            left < Elements ? absmax_at<Nested>(statistics, i + left) : absmax,
            left < Elements ? static_cast<int>(left) : Elements};
}

// T: output type. Nested: double-quantized statistics. Aligned: every row starts a run and a word of codes.
template <class T, bool Nested, bool Aligned>
__global__ void __launch_bounds__(kThreads)
    lookup_4bit_kernel(const __grid_constant__ Rows<T> rows, const __grid_constant__ Codebook16Source codebook) {
    constexpr int kElements = kElementsPer16Bytes<T>;
    Shared& shared = shared_memory<Shared>();
    load_codebook(shared.codebook, codebook);
    __syncthreads();
    const unsigned lane = threadIdx.x % 32, warp = blockIdx.x * (kThreads / 32) + threadIdx.x / 32,
                   warps = gridDim.x * (kThreads / 32);
    // Warps take pieces in the order of the output. There are never 2^31 warps, and 64-bit divisions are slow.
    const unsigned pieces = static_cast<unsigned>(min(rows.pieces, int64_t{INT32_MAX}));
    int64_t m = warp / pieces, piece = warp % pieces;
    while (m < rows.M) {
        const int64_t row = rows.wide_indices ? __ldg(static_cast<const int64_t*>(rows.indices) + m)
                                              : __ldg(static_cast<const int32_t*>(rows.indices) + m);
        const bool exists = static_cast<uint64_t>(row) < static_cast<uint64_t>(rows.N);
        const int64_t start = exists ? row * rows.K : 0;
        T* const output = rows.output + m * rows.ldoutput;
        // How far into an aligned segment the row begins: run r holds its elements r * kElements - lead and up.
        const int lead = Aligned ? 0 : static_cast<int>(reinterpret_cast<uintptr_t>(output) % 16 / sizeof(T));
        const int64_t first = piece * kRunsPerPiece + lane;
        const auto column = [&](int r) { return (first + r * 32) * kElements - lead; };
        const auto is_whole = [&](int64_t k) { return k >= 0 && k + kElements <= rows.K; };

        Run run[kRuns];
#pragma unroll
        for (int r = 0; r < kRuns; ++r) {
            const int64_t k = column(r);
            run[r] = {0, __int_as_float(0x7fffffff), __int_as_float(0x7fffffff), 0};
            if (!exists || !is_whole(k)) continue;
            if constexpr (Aligned) run[r] = load_aligned<Nested>(rows.packed, rows.statistics, start + k, T{});
            else run[r] = load_anywhere<Nested, kElements>(rows.packed, rows.statistics, start + k);
        }
#pragma unroll
        for (int r = 0; r < kRuns; ++r) {
            const int64_t k = column(r);
            if (is_whole(k)) {
                float values[kElements];
#pragma unroll
                for (int e = 0; e < kElements; ++e)
                    values[e] = shared.codebook[run[r].codes >> (28 - 4 * e) & 15] *
                                (Aligned || e < run[r].next ? run[r].absmax : run[r].absmax_next);
                ptx::store_streaming(reinterpret_cast<uint4*>(output + k), pack(values, T{}));
            } else if constexpr (!Aligned) {
#pragma unroll 1
                for (int64_t at = k < 0 ? 0 : k; at < k + kElements && at < rows.K; ++at) {
                    const int64_t i = start + at;
                    const float value = exists ? shared.codebook[rows.packed[i >> 1] >> ((i & 1) == 0 ? 4 : 0) & 15] *
                                                     absmax_at<Nested>(rows.statistics, i)
                                               : __int_as_float(0x7fffffff);
                    output[at] = from_float<T>(value);
                }
            }
        }
        m += warps / pieces;
        piece += warps % pieces;
        if (piece >= rows.pieces) piece -= rows.pieces, ++m;
    }
}

template <class T, bool Nested, bool Aligned>
cudaError_t run(const Lookup4Bit& op, cudaStream_t stream) {
    const Rows<T> rows{static_cast<const uint8_t*>(op.weight.packed),
                       Statistics(op.weight),
                       op.indices,
                       op.index_type == IndexType::kInt64,
                       static_cast<T*>(op.output),
                       op.weight.N,
                       op.weight.K,
                       op.M,
                       op.ldoutput,
                       ceil_div(op.weight.K + (Aligned ? 0 : kElementsPer16Bytes<T> - 1), kRunsPerPiece * kElementsPer16Bytes<T>)};
    Launch at{.block = kThreads, .shared_bytes = sizeof(Shared), .stream = stream};
    constexpr int kBlocksPerMultiprocessor = Aligned ? 6 : 4;  // as many as their registers let run at once
    const cudaError_t status = persistent_grid(ceil_div(op.M * rows.pieces, kThreads / 32), kBlocksPerMultiprocessor, &at.grid);
    if (status != cudaSuccess) return status;
    return launch(at, lookup_4bit_kernel<T, Nested, Aligned>, rows, Codebook16Source(op.weight));
}

template <class T, bool Nested>
cudaError_t run(const Lookup4Bit& op, cudaStream_t stream) {
    constexpr int64_t kElements = kElementsPer16Bytes<T>;
    const bool aligned = op.weight.K % kElements == 0 && op.ldoutput % kElements == 0 && is_aligned(op.output, 16) &&
                         is_aligned(op.weight.packed, kElements / 2);
    return aligned ? run<T, Nested, true>(op, stream) : run<T, Nested, false>(op, stream);
}

template <class T>
cudaError_t run(const Lookup4Bit& op, cudaStream_t stream) {
    return is_nested(op.weight) ? run<T, true>(op, stream) : run<T, false>(op, stream);
}

}  // namespace

cudaError_t lookup_4bit(const Lookup4Bit& op, cudaStream_t stream) {
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
