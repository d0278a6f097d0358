// dx = sum over i of dy_i * W_i, several weights in one call. The columns of dx are cut over the threads, in groups; each thread
// runs through all rows of all weights and keeps its columns of dx as float32 until the end.
#include "matmul_4bit_transposed.h"

#include <algorithm>

#include "epilogue.h"
#include "matmul_4bit_ordinary.h"
#include "operations.h"

namespace halfbyte::cpu {
namespace {

constexpr int64_t kMaxM = 128;  // rows of dx at a time
constexpr int64_t kMaxGroup = 128;

const TransposedKernels4Bit* kernels_of(Path path) {
#if defined(__x86_64__)
    if (path >= Path::kAvx512) return &kTransposedKernels4BitAvx512;
    if (path >= Path::kAvx2) return &kTransposedKernels4BitAvx2;
#endif
    (void)path;
    return nullptr;
}

// Sizes of the workspace: the gradients as float32, then dx as float32.
struct Plan {
    int64_t M = 0;  // rows of dx at a time
    int64_t N = 0;  // rows of all weights
    int64_t groups = 0;
    int64_t lddx = 0;

    Plan(const MatMul4BitTransposed& op, const TransposedKernels4Bit& kernels) {
        if (op.M > 0) M = ceil_div(op.M, ceil_div(op.M, kMaxM));
        for (int64_t i = 0; i < op.count; ++i) N += op.weights[i].N;
        groups = ceil_div(op.K, kernels.group);
        lddx = groups * kernels.group;
    }
    int64_t dy_floats() const { return ceil_div(M * N, 16) * 16; }
    int64_t bytes() const { return (dy_floats() + M * lddx) * static_cast<int64_t>(sizeof(float)); }
};

// dy[n * M + m] = gradient of row m0 + m and weight row n, for all weights' rows one after another.
void convert_gradients(const CpuStream& cpu, const MatMul4BitTransposed& op, int64_t m0, int64_t M, float* dy) {
    constexpr int64_t kRows = 64;
    constexpr int64_t kWorthAThread = 16384;  // elements
    for (int64_t i = 0; i < op.count; ++i) {
        const halfbyte_gradient& gradient = op.gradients[i];
        const int64_t N = op.weights[i].N;
        cpu.parallel_for(N, ceil_div(kWorthAThread, kRows * M) * kRows, [&](int64_t first, int64_t last) {
            float converted[kRows];
            for (int64_t n = first; n < last; n += kRows) {
                const int64_t count = std::min(kRows, last - n);
                for (int64_t m = 0; m < M; ++m) {
                    const void* const source = element_at(op.dtype, gradient.dy, (m0 + m) * gradient.lddy + n);
                    to_float32(cpu.path, op.dtype, source, count, converted);
                    for (int64_t j = 0; j < count; ++j) dy[(n + j) * M + m] = converted[j];
                }
            }
        });
        dy += N * M;
    }
}

// What one pass over the weights needs: M rows of dx, from row m0 on.
struct Pass {
    const CpuStream& cpu;
    const TransposedKernels4Bit& kernels;
    const MatMul4BitTransposed& op;
    int64_t m0, M;
    const float* dy;  // [N of all weights, M]
    float* dx;        // [M, lddx]
    int64_t lddx;
    bool few_rows;  // the kernel for few rows serves

    // Columns [first, last) of dx = the sum of all weights' products.
    void add_weights(void (*kernel)(const TransposedPart4Bit&), int64_t first, int64_t last) const {
        for (int64_t m = 0; m < M; ++m) std::fill_n(dx + m * lddx + first, last - first, 0.0f);
        const float* gradients = dy;
        for (int64_t i = 0; i < op.count; ++i) {
            const Weight4Bit weight = weight_4bit(op.weights[i], cpu.path);
            kernel({&weight, first, std::min(last, op.K), gradients, M, dx, lddx});
            gradients += weight.N * M;
        }
    }

    void store(int64_t m, int64_t k, const float* restored) const {
        void* const out = element_at(op.dtype, op.dx, (m0 + m) * op.lddx + k);
        store_row(cpu.path, {out, op.dtype, nullptr, DType::kFloat32}, restored, std::min(kernels.group, op.K - k));
    }

    // Stores one group; sums that are not ordinary are replaced by the panel kernel's.
    void store_checked(int64_t k) const {
        const int64_t count = std::min(kernels.group, op.K - k);
        float sums[kTransposedFewRows][kMaxGroup];
        bool ordinary = true;
        for (int64_t m = 0; m < M; ++m) {
            kernels.restore(dx + m * lddx + k, sums[m]);
            ordinary = ordinary && is_ordinary(sums[m], count);
        }
        if (!ordinary) add_weights(kernels.panel, k, k + kernels.group);
        for (int64_t m = 0; m < M; ++m) {
            float redone[kMaxGroup];
            if (!ordinary) kernels.restore(dx + m * lddx + k, redone);
            for (int64_t i = 0; i < count && !ordinary; ++i)
                if (!is_ordinary(sums[m] + i, 1)) sums[m][i] = redone[i];
            store(m, k, sums[m]);
        }
    }

    void run(int64_t first, int64_t last) const {
        add_weights(few_rows ? kernels.few_rows : kernels.panel, first, last);
        for (int64_t k = first; k < last; k += kernels.group) {
            if (few_rows) {
                store_checked(k);
                continue;
            }
            float restored[kMaxGroup];
            for (int64_t m = 0; m < M; ++m) {
                kernels.restore(dx + m * lddx + k, restored);
                store(m, k, restored);
            }
        }
    }
};

void matmul_scalar(const CpuStream& cpu, const MatMul4BitTransposed& op) {
    cpu.parallel_for(op.K, 1, [&](int64_t first, int64_t last) {
        for (int64_t m = 0; m < op.M; ++m)
            for (int64_t k = first; k < last; ++k) store_float(op.dtype, op.dx, m * op.lddx + k, transposed_dot_scalar(op, m, k));
    });
}

}  // namespace

int64_t matmul_4bit_transposed_workspace(Stream& stream, const MatMul4BitTransposed& op) {
    const TransposedKernels4Bit* kernels = kernels_of(cpu_stream(stream).path);
    return kernels == nullptr ? 0 : Plan(op, *kernels).bytes();
}

void matmul_4bit_transposed(Stream& stream, const MatMul4BitTransposed& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const TransposedKernels4Bit* kernels = kernels_of(cpu.path);
    if (kernels == nullptr) return matmul_scalar(cpu, op);
    const Plan plan(op, *kernels);
    float* const dy = static_cast<float*>(op.workspace);
    float* const dx = dy + plan.dy_floats();
    bool ordinary = true;
    for (int64_t i = 0; i < op.count; ++i) ordinary = ordinary && weight_4bit(op.weights[i], cpu.path).ordinary_table;
    for (int64_t m0 = 0; m0 < op.M; m0 += plan.M) {
        const int64_t M = std::min(plan.M, op.M - m0);
        convert_gradients(cpu, op, m0, M, dy);
        const Pass pass{cpu, *kernels, op, m0, M, dy, dx, plan.lddx, ordinary && M <= kTransposedFewRows && op.K % 8 == 0};
        cpu.parallel_for(plan.groups, 1,
                         [&](int64_t first, int64_t last) { pass.run(first * kernels->group, last * kernels->group); });
    }
}

}  // namespace halfbyte::cpu
