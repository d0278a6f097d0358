// y_i = x * W_i^T + bias_i with 4-bit weights: which kernel multiplies what, in launches of up to eight weights.
#include "core/formats.h"
#include "cuda/kernel_choice.h"
#include "cuda/kernels.h"
#include "cuda/matmul_4bit.h"
#include "cuda/matmul_device.h"
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
bool has_tensor_map_of_x(const MatMul4Bit& op) { return has_tensor_map(op.x, op.M, op.K, op.ldx); }

// From the first row down: the first that can, is best and takes the weight. Why each stands where it stands is in docs/kernels.md.
const Kernel kKernels[] = {
    {.name = "stream",
     // It counts the elements of 32 rows of a weight in 32 bits, and the parts of K, which may be 512 deep, along y of the grid.
     .can =
         [](const MatMul4Bit& op, int architecture) {
             return is_16_bit(op) && has_tensor_type(op, architecture) && op.M <= kStreamMost && op.K > 0 && op.K % 16 == 0 &&
                    op.K < 1 << 25 && matmul_4bit_stream_can(op);
         },
     .best = always,
     .takes_x = any_x,
     // Blocks are counted in 32 bits.
     .takes =
         [](const halfbyte_weight_4bit& weight) {
             return reinterpret_cast<uintptr_t>(weight.packed) % 8 == 0 && weight.N * weight.K / 64 < int64_t{1} << 32;
         },
     .rows_of_tile = kStreamTile,
     .splits = matmul_4bit_stream_splits,
     .workspace = partial_sums<matmul_4bit_stream_splits>,
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
    {.name = "wgmma",
     .can = has_wgmma,
     .best = [](const MatMul4Bit& op, int) { return op.M > kStreamMost; },
     .takes_x = has_tensor_map_of_x,
     .takes = [](const halfbyte_weight_4bit& weight) { return reinterpret_cast<uintptr_t>(weight.packed) % 8 == 0; },
     .rows_of_tile = kMmaTile,
     .splits = matmul_4bit_wgmma_splits,
     .workspace = partial_sums<matmul_4bit_wgmma_splits>,
     .run = matmul_4bit_wgmma},
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

// Whether a row of the table may multiply the shape.
bool fits(const Kernel& kernel, const MatMul4Bit& op, int architecture) {
    bool was_asked = false;
    return may_run("matmul_4bit", kernel.name, &was_asked) && kernel.can(op, architecture) &&
           (was_asked || kernel.best(op, architecture));
}

// Which row multiplies by a weight; null where the kernel that was asked for cannot.
const Kernel* kernel_for(const MatMul4Bit& op, const halfbyte_weight_4bit& weight, int architecture) {
    for (const Kernel& kernel : kKernels)
        if (fits(kernel, op, architecture) && kernel.takes_x(op) && kernel.takes(weight)) return &kernel;
    return nullptr;
}

// Multiplies by the weights that `kernel` takes, eight at a time.
cudaError_t run(const MatMul4Bit& op, const Kernel& kernel, int architecture, cudaStream_t stream) {
    for (int64_t i = 0; i < op.count;) {
        MatMul4BitBatch batch(op);
        batch.splits = kernel.splits(op);
        int64_t columns = 0;
        for (; i < op.count && batch.weights.count < kWeightsPerLaunch; ++i) {
            const halfbyte_weight_4bit& weight = op.weights[i];
            if (weight.N == 0 || kernel_for(op, weight, architecture) != &kernel) continue;
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

// Where x and the weights lie is not known yet: enough for every row that may multiply the shape.
int64_t matmul_4bit_workspace(const MatMul4Bit& op) {
    int architecture = 0;
    if (architecture_of_device(&architecture) != cudaSuccess) return 0;  // the product will say so
    int64_t bytes = 0;
    for (const Kernel& kernel : kKernels)
        if (fits(kernel, op, architecture)) bytes = std::max(bytes, kernel.workspace(op));
    return bytes;
}

cudaError_t matmul_4bit(const MatMul4Bit& op, cudaStream_t stream) {
    if (op.M == 0) return cudaSuccess;
    int architecture = 0;
    cudaError_t status = architecture_of_device(&architecture);
    if (status != cudaSuccess) return status;
    for (int64_t i = 0; i < op.count; ++i)
        if (kernel_for(op, op.weights[i], architecture) == nullptr) return cudaErrorNotSupported;
    for (const Kernel& kernel : kKernels)
        if (status == cudaSuccess) status = run(op, kernel, architecture, stream);
    return status;
}

}  // namespace halfbyte::cuda
