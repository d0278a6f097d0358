// quantize_int8_rows: absmax[r] = max |x[r, c]| of what is no outlier, codes[r, c] = round(x[r, c] * (127 / absmax[r])), and 0 in
// every column that has an outlier in any row.
//
// A row is taken by 1 to 32 warps, as many as hold it in registers, four runs of 16 bytes per lane; consecutive lanes take
// consecutive runs, so a warp loads 512 contiguous bytes per instruction and stores 256 (float32: 128). Rows longer than that
// (32768 elements of a 16-bit type, 16384 of float32) are read twice.
//
// With a threshold: outliers set bits of a mask of columns in the workspace, mostly by finding them set; the block that is the last
// to finish lists the columns; a second launch zeroes them. Nothing goes through the host.
//
// Bytes per element: 2 read (float32: 4) + 1 written. It aims at the memory's rate: 0.75 of the time of a copy of the input.
#include <algorithm>

#include "core/formats.h"
#include "cuda/device/block_tile.cuh"
#include "cuda/device/element.cuh"
#include "cuda/device/grid.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/smem.cuh"
#include "cuda/kernels.h"

namespace halfbyte::cuda {
namespace {

constexpr int kThreads = 256;  // of a block whose rows take fewer
constexpr int kMostThreads = 1024;
constexpr int kRuns = 4;

// The workspace: which columns have outliers, 32 to a word, and how many blocks are done. Zeroed before each call.
constexpr int64_t words_of(int64_t cols) { return ceil_div(cols, 32); }
constexpr int64_t workspace_bytes(int64_t cols) { return (words_of(cols) + 1) * 4; }

struct Shared {
    float absmax_of_warps[kMostThreads / 32];
    int32_t count_of_warps[kMostThreads / 32];
    bool is_last;
};

template <class T>
struct Input {
    const T* x;  // [rows, cols]
    int64_t rows, cols, ld;
    float threshold;
    bool aligned;  // every row, to 16 bytes
};

struct Outliers {
    uint32_t* mask;    // [ceil(cols/32)]
    uint32_t* done;    // [1]
    int64_t* columns;  // [cols]
    int64_t* count;    // [1]
};

// Four bytes, from the low ends of four words.
__device__ __forceinline__ uint32_t pack_bytes(int a, int b, int c, int d) {
    const uint32_t low = ptx::prmt(static_cast<uint32_t>(a), static_cast<uint32_t>(b), 0x0040);
    return ptx::prmt(low, ptx::prmt(static_cast<uint32_t>(c), static_cast<uint32_t>(d), 0x0040), 0x5410);
}

// NaN converts to 0, infinities to the ends of int.
__device__ __forceinline__ int code_of(float product) { return max(-127, min(127, __float2int_rn(product))); }

// Adds columns `first` and on to the mask. Columns with outliers have them in most rows, so a look saves most atomics.
__device__ __forceinline__ void mark(uint32_t* mask, int64_t first, uint32_t bits) {
    if (bits == 0) return;
    uint32_t* word = mask + first / 32;
    bits <<= first % 32;
    if ((__ldcg(word) & bits) != bits) atomicOr(word, bits);
}

// All threads of the block: the columns of the mask, ascending.
__device__ inline void list_columns(const Outliers& outliers, int64_t words, Shared& shared) {
    const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
    int64_t total = 0;
    for (int64_t first = 0; first < words; first += blockDim.x) {
        const int64_t w = first + threadIdx.x;
        uint32_t bits = w < words ? __ldcg(outliers.mask + w) : 0;
        int before = __popc(bits);
        for (int offset = 1; offset < 32; offset *= 2) {
            const int other = __shfl_up_sync(0xffffffffu, before, static_cast<unsigned>(offset));
            if (lane >= offset) before += other;
        }
        if (lane == 31) shared.count_of_warps[warp] = before;
        __syncthreads();
        int64_t at = total + before - __popc(bits);
        for (int i = 0; i < static_cast<int>(blockDim.x / 32); ++i) {
            total += shared.count_of_warps[i];
            if (i < warp) at += shared.count_of_warps[i];
        }
        for (; bits != 0; bits &= bits - 1) outliers.columns[at++] = w * 32 + __ffs(static_cast<int>(bits)) - 1;
        __syncthreads();
    }
    if (threadIdx.x == 0) outliers.count[0] = total;
}

// HasOutliers: threshold > 0. Long: the row does not fit in registers.
template <class T, bool HasOutliers, bool Long>
__global__ void __launch_bounds__(kMostThreads) quantize_int8_rows_kernel(const Input<T> input, int warps_of_row,
                                                                          int8_t* __restrict__ codes,  // [rows, cols]
                                                                          float* __restrict__ absmax,  // [rows]
                                                                          const Outliers outliers, bool codes_aligned) {
    constexpr int kElements = kElementsPer16Bytes<T>;
    Shared& shared = shared_memory<Shared>();
    const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
    const int warp_of_row = warp % warps_of_row, stride = warps_of_row * 32 * kElements, step = stride * kRuns;
    const int64_t row = static_cast<int64_t>(blockIdx.x) * (blockDim.x / 32 / warps_of_row) + warp / warps_of_row;
    const int64_t cols = row < input.rows ? input.cols : 0;
    const T* x = input.x + (row < input.rows ? row * input.ld : 0);

    uint4 runs[kRuns];
    const int64_t first = (warp_of_row * 32 + lane) * kElements;
    const auto load = [&](int64_t begin) {
#pragma unroll
        for (int r = 0; r < kRuns; ++r) {
            const int64_t c = begin + r * stride;
            if (input.aligned && c + kElements <= cols) runs[r] = ptx::load_streaming(reinterpret_cast<const uint4*>(x + c));
            else runs[r] = c < cols ? load_elements(x + c, cols - c) : uint4{};
        }
    };
    float of_row = 0;
    for (int64_t begin = first; begin == first || (Long && begin < cols); begin += step) {
        load(begin);
#pragma unroll
        for (int r = 0; r < kRuns; ++r) {
            float values[kElements];
            unpack(runs[r], values, T{});
            uint32_t bits = 0;
#pragma unroll
            for (int i = 0; i < kElements; ++i) {
                if (HasOutliers && fabsf(values[i]) >= input.threshold) bits |= 1u << i;
                else of_row = fmaxf(of_row, fabsf(values[i]));
            }
            if (HasOutliers) mark(outliers.mask, begin + r * stride, bits);
        }
        if (!Long) break;
    }
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) of_row = fmaxf(of_row, __shfl_xor_sync(0xffffffffu, of_row, offset));
    if (warps_of_row > 1) {
        if (lane == 0) shared.absmax_of_warps[warp] = of_row;
        __syncthreads();
        const int other = warp - warp_of_row + lane % warps_of_row;
        of_row = shared.absmax_of_warps[other];
#pragma unroll
        for (int offset = 16; offset > 0; offset /= 2) of_row = fmaxf(of_row, __shfl_xor_sync(0xffffffffu, of_row, offset));
    }
    if (warp_of_row == 0 && lane == 0 && row < input.rows) absmax[row] = of_row;

    const float scale = __fdiv_rn(127.0f, of_row);
    for (int64_t begin = first; begin < cols; begin += step) {
        if (Long) load(begin);
#pragma unroll
        for (int r = 0; r < kRuns; ++r) {
            const int64_t c = begin + r * stride;
            if (c >= cols) continue;
            float values[kElements];
            unpack(runs[r], values, T{});
            uint32_t words[kElements / 4];
#pragma unroll
            for (int i = 0; i < kElements; i += 4)
                words[i / 4] = pack_bytes(code_of(__fmul_rn(values[i], scale)), code_of(__fmul_rn(values[i + 1], scale)),
                                          code_of(__fmul_rn(values[i + 2], scale)), code_of(__fmul_rn(values[i + 3], scale)));
            store_codes(codes + row * cols + c, words, cols - c, codes_aligned && c + kElements <= cols);
        }
        if (!Long) break;
    }

    if constexpr (HasOutliers) {
        __syncthreads();
        if (threadIdx.x == 0) shared.is_last = ptx::add_acquire_release(outliers.done, 1) == gridDim.x - 1;
        __syncthreads();
        if (shared.is_last) list_columns(outliers, (input.cols + 31) / 32, shared);
    }
}

// codes[r, c] = 0 for the columns listed; a block takes rows.
__global__ void __launch_bounds__(kThreads)
    zero_columns_kernel(int8_t* __restrict__ codes, int64_t rows, int64_t cols, const int64_t* __restrict__ columns,
                        const int64_t* __restrict__ count) {
    const int64_t n = __ldg(count);
    for (int64_t i = threadIdx.x; i < n; i += kThreads) {
        const int64_t column = __ldg(columns + i);
        for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) codes[row * cols + column] = 0;
    }
}

template <class T, bool HasOutliers>
cudaError_t run(const QuantizeInt8Rows& op, const Outliers& outliers, cudaStream_t stream) {
    constexpr int64_t kElements = kElementsPer16Bytes<T>;
    const int64_t warps = ceil_div(op.cols, 32 * kRuns * kElements);
    int warps_of_row = 1;
    while (warps_of_row < warps && warps_of_row < kMostThreads / 32) warps_of_row *= 2;
    const int threads = std::max(kThreads, warps_of_row * 32);
    const Launch at{.grid = dim3(static_cast<unsigned>(ceil_div(op.rows, threads / 32 / warps_of_row))),
                    .block = dim3(static_cast<unsigned>(threads)),
                    .shared_bytes = sizeof(Shared),
                    .stream = stream};
    const Input<T> input{static_cast<const T*>(op.input),
                         op.rows,
                         op.cols,
                         op.ldinput,
                         op.threshold,
                         is_aligned(op.input, 16) && op.ldinput % kElements == 0};
    const bool codes_aligned = is_aligned(op.codes, kElements) && op.cols % kElements == 0;
    const auto kernel =
        warps > warps_of_row ? quantize_int8_rows_kernel<T, HasOutliers, true> : quantize_int8_rows_kernel<T, HasOutliers, false>;
    return launch(at, kernel, input, warps_of_row, op.codes, op.absmax, outliers, codes_aligned);
}

template <class T>
cudaError_t run(const QuantizeInt8Rows& op, cudaStream_t stream) {
    if (!(op.threshold > 0)) return run<T, false>(op, {}, stream);
    auto* mask = static_cast<uint32_t*>(op.workspace);
    cudaError_t status = cudaMemsetAsync(mask, 0, static_cast<size_t>(workspace_bytes(op.cols)), stream);
    if (status == cudaSuccess)
        status = run<T, true>(op, {mask, mask + words_of(op.cols), op.outlier_columns, op.outlier_count}, stream);
    Launch at{.block = kThreads, .stream = stream};
    if (status == cudaSuccess) status = persistent_grid(op.rows, 8, &at.grid);
    if (status != cudaSuccess) return status;
    return launch(at, zero_columns_kernel, op.codes, op.rows, op.cols, op.outlier_columns, op.outlier_count);
}

}  // namespace

int64_t quantize_int8_rows_workspace(int64_t, int64_t cols, float threshold) { return threshold > 0 ? workspace_bytes(cols) : 0; }

cudaError_t quantize_int8_rows(const QuantizeInt8Rows& op, cudaStream_t stream) {
    if (op.rows == 0 || op.cols == 0) {
        cudaError_t status = cudaSuccess;
        if (op.rows > 0) status = cudaMemsetAsync(op.absmax, 0, static_cast<size_t>(op.rows) * sizeof(float), stream);
        if (status == cudaSuccess && op.threshold > 0) status = cudaMemsetAsync(op.outlier_count, 0, sizeof(int64_t), stream);
        return status;
    }
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
