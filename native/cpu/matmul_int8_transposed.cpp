// dx = sum over i of dy_i * W_i for int8 weights (halfbyte.h section 10): the gradient of matmul_int8's x.
//
//   d[m, n] = dy[m, n] * (absmax[n] * (1.0f / 127))
//   dx[m, k] = sum over i, then n, in ascending order, of d_i[m, n] * codes_i[n, k]
// in float32, one rounding at the end. dx is cut into tiles of rows and columns and each is summed whole by one thread, so the
// result does not depend on their number. The statistics are folded into dy: a weight costs one conversion and no product.
#include "matmul_int8_transposed.h"

#include <algorithm>

#include "core/formats.h"
#include "epilogue.h"
#include "operations.h"

namespace halfbyte::cpu {
namespace {

constexpr float kInverse127 = 1.0f / 127.0f;
constexpr int64_t kTileBytes = kGradientTileM * kGradientTileK * 4;

AddGradient kernel_of(Path) { return add_gradient_int8_scalar; }

// How dx is cut: rows of tiles by columns of tiles, and `parts` shares of them. A share has one tile of sums in the workspace.
struct Cut {
    int64_t tiles_m, tiles_k, parts;
};

Cut cut(const CpuStream& stream, int64_t M, int64_t K) {
    Cut c{ceil_div(M, kGradientTileM), ceil_div(K, kGradientTileK), 0};
    if (c.tiles_k > 0)
        c.parts = c.tiles_m < stream.threads ? std::min<int64_t>(stream.threads, c.tiles_m * c.tiles_k) : stream.threads;
    return c;
}

// d = dy * absmax / 127 for rows first_m.. and weight rows first_n...
void fold_statistics(const CpuStream& stream, const MatMulInt8Transposed& op, int64_t i, int64_t first_m, int64_t first_n,
                     int64_t M, int64_t N, float* d) {
    float w[kGradientTileN];
    for (int64_t n = 0; n < N; ++n) w[n] = static_cast<const float*>(op.weights[i].absmax)[first_n + n] * kInverse127;
    const halfbyte_gradient& gradient = op.gradients[i];
    for (int64_t m = 0; m < M; ++m) {
        float* row = d + m * kGradientTileN;
        to_float32(stream.path, op.dtype, element_at(op.dtype, gradient.dy, (first_m + m) * gradient.lddy + first_n), N, row);
        for (int64_t n = 0; n < N; ++n) row[n] *= w[n];
    }
}

void gradient_tile(const CpuStream& stream, const MatMulInt8Transposed& op, int64_t first_m, int64_t first_k, float* sums) {
    const AddGradient add = kernel_of(stream.path);
    const int64_t M = std::min(kGradientTileM, op.M - first_m), K = std::min(kGradientTileK, op.K - first_k);
    std::fill_n(sums, M * kGradientTileK, 0.0f);
    float d[kGradientTileM * kGradientTileN];
    for (int64_t i = 0; i < op.count; ++i) {
        const auto* codes = static_cast<const int8_t*>(op.weights[i].codes);
        for (int64_t n = 0; n < op.weights[i].N; n += kGradientTileN) {
            const int64_t N = std::min(kGradientTileN, op.weights[i].N - n);
            fold_statistics(stream, op, i, first_m, n, M, N, d);
            add({d, codes + n * op.K + first_k, op.K, M, N, K}, sums);
        }
    }
    for (int64_t m = 0; m < M; ++m) {
        void* row = element_at(op.dtype, op.dx, (first_m + m) * op.lddx + first_k);
        store_row(stream.path, {row, op.dtype, nullptr, DType::kFloat32}, sums + m * kGradientTileK, K);
    }
}

}  // namespace

void matmul_int8_transposed(Stream& any_stream, const MatMulInt8Transposed& op) {
    const CpuStream& stream = cpu_stream(any_stream);
    const Cut c = cut(stream, op.M, op.K);
    stream.parallel_for(c.parts, 1, [&](int64_t first, int64_t last) {
        for (int64_t part = first; part < last; ++part) {
            float* sums = static_cast<float*>(op.workspace) + part * (kTileBytes / 4);
            const int64_t tiles = c.tiles_m * c.tiles_k;
            for (int64_t tile = tiles * part / c.parts; tile < tiles * (part + 1) / c.parts; ++tile)
                gradient_tile(stream, op, tile / c.tiles_k * kGradientTileM, tile % c.tiles_k * kGradientTileK, sums);
        }
    });
}

int64_t matmul_int8_transposed_workspace(Stream& stream, const MatMulInt8Transposed& op) {
    return cut(cpu_stream(stream), op.M, op.K).parts * kTileBytes;
}

}  // namespace halfbyte::cpu
