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
    for (int64_t i = 0; i < op.count; ++i) {
        const halfbyte_gradient& gradient = op.gradients[i];
        const int64_t N = op.weights[i].N;
        cpu.parallel_for(N, kRows, [&](int64_t first, int64_t last) {
            float converted[kRows];
            for (int64_t n = first; n < last; n += kRows) {
                const int64_t count = std::min(kRows, last - n);
                for (int64_t m = 0; m < M; ++m) {
                    to_float32(cpu.path, op.dtype, element_at(op.dtype, gradient.dy, (m0 + m) * gradient.lddy + n), count,
                               converted);
                    for (int64_t j = 0; j < count; ++j) dy[(n + j) * M + m] = converted[j];
                }
            }
        });
        dy += N * M;
    }
}

// Adds all weights' products to the zeroed columns [first, last) of dx.
template <class Kernel>
void add_weights(const CpuStream& cpu, const Kernel& kernel, const MatMul4BitTransposed& op, int64_t first, int64_t last,
                 const float* dy, int64_t M, float* dx, int64_t lddx) {
    for (int64_t m = 0; m < M; ++m) std::fill_n(dx + m * lddx + first, last - first, 0.0f);
    for (int64_t i = 0; i < op.count; ++i) {
        const Weight4Bit weight = weight_4bit(op.weights[i], cpu.path);
        kernel(TransposedPart4Bit{&weight, first, std::min(last, op.K), dy, M, dx, lddx});
        dy += weight.N * M;
    }
}

void multiply(const CpuStream& cpu, const TransposedKernels4Bit& kernels, const MatMul4BitTransposed& op, int64_t m0, int64_t M,
              const float* dy, float* dx, int64_t lddx, int64_t first, int64_t last) {
    bool few = M <= kTransposedFewRows && op.K % 8 == 0;
    for (int64_t i = 0; i < op.count; ++i) few = few && weight_4bit(op.weights[i], cpu.path).ordinary_table;
    add_weights(cpu, few ? kernels.few_rows : kernels.panel, op, first, last, dy, M, dx, lddx);
    for (int64_t k = first; k < last; k += kernels.group) {
        const int64_t count = std::min(kernels.group, op.K - k);
        float restored[kMaxGroup];
        bool redone = !few;
        for (int64_t m = 0; m < M; ++m) {
            kernels.restore(dx + m * lddx + k, restored);
            if (!redone && !is_ordinary(restored, count)) {
                add_weights(cpu, kernels.panel, op, k, k + kernels.group, dy, M, dx, lddx);
                redone = true;
                kernels.restore(dx + m * lddx + k, restored);
            }
            void* const out = element_at(op.dtype, op.dx, (m0 + m) * op.lddx + k);
            store_row(cpu.path, {out, op.dtype, nullptr, DType::kFloat32}, restored, count);
        }
    }
}

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
    for (int64_t m0 = 0; m0 < op.M; m0 += plan.M) {
        const int64_t M = std::min(plan.M, op.M - m0);
        convert_gradients(cpu, op, m0, M, dy);
        cpu.parallel_for(plan.groups, 1, [&](int64_t first, int64_t last) {
            multiply(cpu, *kernels, op, m0, M, dy, dx, plan.lddx, first * kernels->group, last * kernels->group);
        });
    }
}

}  // namespace halfbyte::cpu
