// y_i = x * W_i^T + bias_i, several weights in one call. The rows of all weights are cut evenly over the threads; each thread
// computes blocks of kBlockRows rows into its own sums and ends them with the epilogue.
#include "matmul_4bit.h"

#include "epilogue.h"
#include "matmul_4bit_ordinary.h"
#include "operations.h"

namespace halfbyte::cpu {
namespace {

constexpr int64_t kMaxM = 128;      // rows of x at a time: one chunk of them fits the second-level cache
constexpr int64_t kBlockRows = 96;  // a multiple of every kernel's tile
constexpr int64_t kGrain = 24;      // rows that stay on one thread; likewise

const Kernels4Bit* kernels_of(Path path) {
#if defined(__x86_64__)
    if (path >= Path::kAvx512) return &kKernels4BitAvx512;
    if (path >= Path::kAvx2) return &kKernels4BitAvx2;
#endif
    (void)path;
    return nullptr;
}

// Sizes of the workspace: the arranged activations, then every thread's sums.
struct Plan {
    int64_t units = 0;  // of kGrain rows
    int64_t parts = 0;  // threads that have work
    int64_t M = 0;      // rows of x at a time
    int64_t x_floats = 0;
    int64_t sums_floats = 0;

    Plan(const CpuStream& cpu, const MatMul4Bit& op, const Kernels4Bit& kernels) {
        for (int64_t i = 0; i < op.count; ++i) units += ceil_div(op.weights[i].N, kGrain);
        parts = units < cpu.threads ? units : cpu.threads;
        if (op.M > 0) M = ceil_div(op.M, ceil_div(op.M, kMaxM));
        x_floats = M * ceil_div(op.K, kernels.group) * kernels.group;
        sums_floats = M * kBlockRows;
    }
    int64_t bytes() const { return (x_floats + parts * sums_floats) * static_cast<int64_t>(sizeof(float)); }
};

// Row m of the M that are laid out, row `row` of x.
void arrange_row(const CpuStream& cpu, const Kernels4Bit& kernels, const MatMul4Bit& op, int64_t row, int64_t m, int64_t M,
                 float* arranged) {
    alignas(64) float converted[kChunk];
    const int64_t set = m - m % kSetRows;
    const int64_t set_rows = M - set < kSetRows ? M - set : kSetRows;
    const int64_t lanes = kernels.group / 8;
    for (int64_t k = 0; k < op.K; k += kChunk) {
        const int64_t count = op.K - k < kChunk ? op.K - k : kChunk;
        const int64_t padded = ceil_div(count, kernels.group) * kernels.group;
        to_float32(cpu.path, op.dtype, element_at(op.dtype, op.x, row * op.ldx + k), count, converted);
        kernels.arrange(converted, count, arranged + k * M + set * padded + (m - set) * lanes, set_rows * lanes);
    }
}

void multiply(const Kernels4Bit& kernels, const Part4Bit& part) {
    if (part.M > kernels.few_rows_max || part.weight->K % 8 != 0) return kernels.panel(part);
    if (part.M > 1) return kernels.few_rows(part);
    if (!part.weight->ordinary_table) return kernels.panel(part);
    kernels.one_row(part);
    constexpr int64_t kRedo = 12;
    for (int64_t n = part.first; n < part.last; n += kRedo) {
        Part4Bit redo = part;
        redo.first = n;
        redo.last = part.last - n < kRedo ? part.last : n + kRedo;
        redo.sums = part.sums + (n - part.first);
        if (!is_ordinary(redo.sums, redo.last - n)) kernels.panel(redo);
    }
}

void store(const CpuStream& cpu, const MatMul4Bit& op, const halfbyte_output& output, int64_t m0, const Part4Bit& part) {
    const int64_t count = part.last - part.first;
    float row[kBlockRows];
    for (int64_t m = 0; m < part.M; ++m) {
        for (int64_t i = 0; i < count; ++i) row[i] = part.sums[i * part.M + m];
        store_row(cpu.path, output_row(output, op.dtype, m0 + m, part.first), row, count);
    }
}

// The units [first, last) of all weights' rows.
void multiply_units(const CpuStream& cpu, const Kernels4Bit& kernels, const MatMul4Bit& op, int64_t m0, int64_t M, const float* x,
                    float* sums, int64_t first, int64_t last) {
    for (int64_t i = 0; i < op.count && first < last; ++i) {
        const int64_t units = ceil_div(op.weights[i].N, kGrain);
        const int64_t end = last < units ? last : units;
        const Weight4Bit weight = weight_4bit(op.weights[i], cpu.path);
        const int64_t end_row = end * kGrain < weight.N ? end * kGrain : weight.N;
        for (int64_t n = first * kGrain; n < end_row; n += kBlockRows) {
            const Part4Bit part{&weight, n, end_row - n < kBlockRows ? end_row : n + kBlockRows, x, M, sums};
            multiply(kernels, part);
            store(cpu, op, op.outputs[i], m0, part);
        }
        first = first > units ? first - units : 0;
        last -= units;
    }
}

void matmul_scalar(const CpuStream& cpu, const MatMul4Bit& op) {
    for (int64_t i = 0; i < op.count; ++i) {
        const Weight4Bit weight = weight_4bit(op.weights[i], cpu.path);
        cpu.parallel_for(weight.N, 1, [&](int64_t first, int64_t last) {
            for (int64_t m = 0; m < op.M; ++m) {
                for (int64_t n = first; n < last; ++n) {
                    const float sum = dot_scalar(weight, n, op.dtype, element_at(op.dtype, op.x, m * op.ldx));
                    store_row(cpu.path, output_row(op.outputs[i], op.dtype, m, n), &sum, 1);
                }
            }
        });
    }
}

}  // namespace

int64_t matmul_4bit_workspace(Stream& stream, const MatMul4Bit& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const Kernels4Bit* kernels = kernels_of(cpu.path);
    return kernels == nullptr ? 0 : Plan(cpu, op, *kernels).bytes();
}

void matmul_4bit(Stream& stream, const MatMul4Bit& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const Kernels4Bit* kernels = kernels_of(cpu.path);
    if (kernels == nullptr) return matmul_scalar(cpu, op);
    const Plan plan(cpu, op, *kernels);
    float* const arranged = static_cast<float*>(op.workspace);
    for (int64_t m0 = 0; m0 < op.M; m0 += plan.M) {
        const int64_t M = op.M - m0 < plan.M ? op.M - m0 : plan.M;
        cpu.parallel_for(M, 1, [&](int64_t first, int64_t last) {
            for (int64_t m = first; m < last; ++m) arrange_row(cpu, *kernels, op, m0 + m, m, M, arranged);
        });
        cpu.parallel_for(plan.parts, 1, [&](int64_t first, int64_t last) {
            for (int64_t part = first; part < last; ++part)
                multiply_units(cpu, *kernels, op, m0, M, arranged, arranged + plan.x_floats + part * plan.sums_floats,
                               plan.units * part / plan.parts, plan.units * (part + 1) / plan.parts);
        });
    }
}

}  // namespace halfbyte::cpu
