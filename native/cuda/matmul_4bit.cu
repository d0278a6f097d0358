// y_i = x * W_i^T + bias_i with 4-bit weights: which kernel multiplies what, in launches of up to eight weights.
#include <algorithm>
#include <array>
#include <iterator>

#include "core/formats.h"
#include "cuda/kernel_choice.h"
#include "cuda/kernels.h"
#include "cuda/matmul_4bit.h"
#include "cuda/matmul_device.h"
#include "cuda/matmul_partials.h"
#include "cuda/tensor_map.h"

namespace halfbyte::cuda {
namespace {

struct Kernel {
    const char* name;
    bool (*can)(const MatMul4Bit& op, int architecture);   // multiply this shape on this device
    bool (*best)(const MatMul4Bit& op, int architecture);  // of the rows from here on, where it can
    bool (*takes_x)(const MatMul4Bit& op);                 // x, where it lies
    bool (*takes)(const halfbyte_weight_4bit& weight);     // this weight, where it lies
    int64_t rows_of_tile;                                  // of a weight
    int64_t (*splits)(const MatMul4Bit& op);               // of K
    int64_t (*workspace)(const MatMul4Bit& op);            // in bytes
    cudaError_t (*run)(const MatMul4BitBatch& batch, cudaStream_t stream);
};

bool always(const MatMul4Bit&, int) { return true; }
bool any_x(const MatMul4Bit&) { return true; }
bool any_weight(const halfbyte_weight_4bit&) { return true; }
int64_t unsplit(const MatMul4Bit&) { return 1; }
int64_t none(const MatMul4Bit&) { return 0; }

// For the partial sums of a product that is split in depth.
template <int64_t (*Splits)(const MatMul4Bit& op)>
int64_t partial_sums(const MatMul4Bit& op) {
    const int64_t splits = Splits(op);
    int64_t columns = 0;
    for (int64_t i = 0; i < op.count; ++i) columns += op.weights[i].N;
    return splits == 1 ? 0 : splits * op.M * columns * static_cast<int64_t>(sizeof(float));
}

bool is_16_bit(const MatMul4Bit& op) { return op.dtype != DType::kFloat32; }
// sm_75 multiplies no bfloat16 on its tensor cores.
bool has_tensor_type(const MatMul4Bit& op, int architecture) { return architecture >= 80 || op.dtype == DType::kFloat16; }

// Hopper's own instructions: what later architectures have instead are others.
bool has_wgmma(const MatMul4Bit& op, int architecture) { return is_16_bit(op) && architecture == 90 && op.K > 0 && op.K % 16 == 0; }
// With 33 to 64 rows of x `stream` makes two tiles of 32, and `wgmma` one of 64, however many there are. A tile of `stream` takes
// 1.19 accesses per weight of the 32 that a multiprocessor has each clock (counted in its main loop), so both tiles are 13 weights
// a clock at the most; that of `wgmma` decodes 8192 in 580 clocks, 14 a clock, and reads x once (calculated; too close to be sure
// of, the benchmark's choices measure both). A block of `stream` has at the least 128 rows of W by 512 k: while twice as many as
// there are of those fit the multiprocessors, both tiles run at once, and `wgmma` takes 1.15 times as long to fill its ring and
// be done.
bool is_best_by_wgmma(const MatMul4Bit& op, int) {
    if (op.M <= kStreamTileOfX) return false;
    if (op.M > kStreamMost) return true;
    int64_t tiles = 0;
    for (int64_t i = 0; i < op.count; ++i) tiles += ceil_div(op.weights[i].N, kMmaTile);
    constexpr int64_t kMultiprocessors = 132;
    return 2 * tiles * std::max<int64_t>(1, op.K / 512) > kMultiprocessors;
}

bool has_tensor_map_of_x(const MatMul4Bit& op) { return has_tensor_map(op.x, op.M, op.K, op.ldx); }

// From the first row down: the first that can, is best and takes the weight. Why each stands where it stands is in docs/kernels.md.
const Kernel kKernels[] = {
    {.name = "wgmma",
     .can = has_wgmma,
     .best = is_best_by_wgmma,
     .takes_x = has_tensor_map_of_x,
     .takes = [](const halfbyte_weight_4bit& weight) { return reinterpret_cast<uintptr_t>(weight.packed) % 8 == 0; },
     .rows_of_tile = kMmaTile,
     .splits = matmul_4bit_wgmma_splits,
     .workspace = partial_sums<matmul_4bit_wgmma_partials>,
     .run = matmul_4bit_wgmma},
    {.name = "stream",
     // It counts the elements of 32 rows of a weight in 32 bits.
     .can =
         [](const MatMul4Bit& op, int architecture) {
             return is_16_bit(op) && has_tensor_type(op, architecture) && op.M <= kStreamMost && op.K > 0 && op.K % 16 == 0 &&
                    op.K < 1 << 25 && matmul_4bit_stream_can(op);
         },
     .best = always,
     .takes_x = any_x,
     // Blocks and rows are counted in 32 bits, and so are the strips of 16 rows of all weights of a launch.
     .takes =
         [](const halfbyte_weight_4bit& weight) {
             return reinterpret_cast<uintptr_t>(weight.packed) % 8 == 0 && weight.N * weight.K / 64 < int64_t{1} << 32 &&
                    weight.N < int64_t{1} << 31;
         },
     .rows_of_tile = kStreamTile,
     .splits = matmul_4bit_stream_splits,
     .workspace = partial_sums<matmul_4bit_stream_partials>,
     .run = matmul_4bit_stream},
    {.name = "rows",
     .can = [](const MatMul4Bit& op, int) { return op.M <= kRowsMost; },
     .best = always,
     .takes_x = any_x,
     .takes = any_weight,
     .rows_of_tile = kRowsTile,
     .splits = unsplit,
     .workspace = none,
     .run = matmul_4bit_rows},
    // Nowhere by itself: from which M on, 1024 at the least, is for a measurement to say.
    {.name = "chunks",
     .can = has_wgmma,
     .best = [](const MatMul4Bit&, int) { return false; },
     .takes_x = has_tensor_map_of_x,
     .takes = any_weight,
     .rows_of_tile = kMmaTile,
     .splits = unsplit,
     .workspace = matmul_4bit_chunks_workspace,
     .run = matmul_4bit_chunks},
    {.name = "mma",
     // It counts the bytes of a row in 31 bits.
     .can =
         [](const MatMul4Bit& op, int architecture) {
             return is_16_bit(op) && has_tensor_type(op, architecture) && op.K > 0 && op.K % 16 == 0 && op.K < 1 << 29;
         },
     .best = always,
     .takes_x = any_x,
     // Sixteen codes, from the start of a row on, are one aligned load.
     .takes = [](const halfbyte_weight_4bit& weight) { return reinterpret_cast<uintptr_t>(weight.packed) % 8 == 0; },
     .rows_of_tile = kMmaTile,
     .splits = matmul_4bit_mma_splits,
     .workspace = partial_sums<matmul_4bit_mma_splits>,
     .run = matmul_4bit_mma},
    {.name = "tile",
     .can = always,
     .best = always,
     .takes_x = any_x,
     .takes = any_weight,
     .rows_of_tile = kFp32TileRows,
     .splits = unsplit,
     .workspace = none,
     .run = matmul_4bit_tile},
};

// Which rows of the table may multiply the shape.
using Rows = std::array<bool, std::size(kKernels)>;

Rows rows_for(const MatMul4Bit& op, int architecture) {
    Rows rows{};
    for (size_t row = 0; row < rows.size(); ++row) {
        const Kernel& kernel = kKernels[row];
        bool was_asked = false;
        rows[row] = may_run("matmul_4bit", kernel.name, &was_asked) && kernel.can(op, architecture) &&
                    (was_asked || kernel.best(op, architecture));
    }
    return rows;
}

// Which of `rows` multiplies by a weight; null where the kernel that was asked for cannot.
const Kernel* kernel_for(const Rows& rows, const halfbyte_weight_4bit& weight) {
    for (size_t row = 0; row < rows.size(); ++row)
        if (rows[row] && kKernels[row].takes(weight)) return &kKernels[row];
    return nullptr;
}

// Multiplies by the weights that `kernel` takes, eight at a time.
cudaError_t run(const MatMul4Bit& op, const Kernel& kernel, const Rows& rows, cudaStream_t stream) {
    const int64_t splits = kernel.splits(op);
    for (int64_t i = 0; i < op.count;) {
        MatMul4BitBatch batch(op);
        batch.splits = splits;
        int64_t columns = 0;
        for (; i < op.count && batch.weights.count < kWeightsPerLaunch; ++i) {
            const halfbyte_weight_4bit& weight = op.weights[i];
            if (weight.N == 0 || kernel_for(rows, weight) != &kernel) continue;
            batch.outputs[batch.weights.count] = product_output(op.outputs[i]);
            batch.columns[batch.weights.count] = columns;
            batch.sources[batch.weights.count] = &weight;
            batch.weights.add(weight, batch.tiles);
            batch.tiles += ceil_div(weight.N, kernel.rows_of_tile);
            columns += weight.N;
        }
        if (batch.weights.count == 0) return cudaSuccess;
        const cudaError_t status = kernel.run(batch, stream);
        if (status != cudaSuccess) return status;
    }
    return cudaSuccess;
}

}  // namespace

int64_t columns_of(const MatMul4BitBatch& batch) {
    const int32_t last = batch.weights.count - 1;
    return batch.columns[last] + batch.weights.at[last].N;
}

cudaError_t add_partials(const MatMul4BitBatch& batch, int64_t splits, cudaStream_t stream) {
    if (splits == 1) return cudaSuccess;
    Partials partials{.sums = batch.partials,
                      .splits = splits,
                      .M = batch.M,
                      .columns = columns_of(batch),
                      .count = batch.weights.count,
                      .at = {}};
    static_assert(kWeightsPerLaunch <= Partials::kMost);
    for (int32_t i = 0; i < batch.weights.count; ++i) partials.at[i] = {batch.outputs[i], batch.columns[i]};
    return add_partials(partials, batch.dtype, stream);
}

// Where x and the weights lie is not known yet: enough for every row that may multiply the shape.
int64_t matmul_4bit_workspace(const MatMul4Bit& op) {
    int architecture = 0;
    if (architecture_of_device(&architecture) != cudaSuccess) return 0;  // the product will say so
    const Rows rows = rows_for(op, architecture);
    int64_t bytes = 0;
    for (size_t row = 0; row < rows.size(); ++row)
        if (rows[row]) bytes = std::max(bytes, kKernels[row].workspace(op));
    return bytes;
}

cudaError_t matmul_4bit(const MatMul4Bit& op, cudaStream_t stream) {
    if (op.M == 0) return cudaSuccess;
    int architecture = 0;
    cudaError_t status = architecture_of_device(&architecture);
    if (status != cudaSuccess) return status;
    Rows rows = rows_for(op, architecture), used{};
    for (size_t row = 0; row < rows.size(); ++row) rows[row] = rows[row] && kKernels[row].takes_x(op);
    for (int64_t i = 0; i < op.count; ++i) {
        const Kernel* kernel = kernel_for(rows, op.weights[i]);
        if (kernel == nullptr) return cudaErrorNotSupported;
        used[static_cast<size_t>(kernel - kKernels)] |= op.weights[i].N > 0;
    }
    for (size_t row = 0; row < rows.size() && status == cudaSuccess; ++row)
        if (used[row]) status = run(op, kKernels[row], rows, stream);
    return status;
}

}  // namespace halfbyte::cuda
