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
AddGradient kernel_of([[maybe_unused]] Path path) {
#if defined(__x86_64__)
    if (path >= Path::kAvx512) return add_gradient_int8_avx512;
    if (path >= Path::kAvx2) return add_gradient_int8_avx2;
#endif
    return add_gradient_int8_scalar;
}

// How dx is cut: tiles_m by tiles_k tiles of at most kGradientTileM x columns, in `parts` shares. A share has one tile of sums in
// the workspace. Tiles are wide, to read long stretches of each weight row, as far as their sums fit the caches.
struct Cut {
    int64_t tiles_m, tiles_k, columns, parts, sums;
};

Cut cut(const CpuStream& stream, int64_t M, int64_t K) {
    if (M == 0 || K == 0) return {};
    Cut c{};
    c.tiles_m = ceil_div(M, kGradientTileM);
    const int64_t widest = std::max(int64_t{4096} / M, int64_t{1024});
    const int64_t threads = ceil_div(stream.threads, c.tiles_m);  // that share one row of tiles
    const int64_t tiles = ceil_div(ceil_div(K, widest), threads) * threads;
    c.columns = ceil_div(ceil_div(K, tiles), kGradientPad) * kGradientPad;
    c.tiles_k = ceil_div(K, c.columns);
    c.parts = std::min(int64_t{stream.threads}, c.tiles_m * c.tiles_k);
    c.sums = std::min(M, kGradientTileM) * c.columns;
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

void gradient_tile(const CpuStream& stream, const MatMulInt8Transposed& op, int64_t first_m, int64_t first_k, int64_t columns,
                   float* sums) {
    const AddGradient add = kernel_of(stream.path);
    const int64_t M = std::min(kGradientTileM, op.M - first_m), K = std::min(columns, op.K - first_k);
    std::fill_n(sums, M * columns, 0.0f);
    float d[kGradientTileM * kGradientTileN];
    for (int64_t i = 0; i < op.count; ++i) {
        const auto* codes = static_cast<const int8_t*>(op.weights[i].codes);
        for (int64_t n = 0; n < op.weights[i].N; n += kGradientTileN) {
            const int64_t N = std::min(kGradientTileN, op.weights[i].N - n);
            fold_statistics(stream, op, i, first_m, n, M, N, d);
            add({d, codes + n * op.K + first_k, op.K, M, N, K, columns}, sums);
        }
    }
    for (int64_t m = 0; m < M; ++m) {
        void* row = element_at(op.dtype, op.dx, (first_m + m) * op.lddx + first_k);
        store_row(stream.path, {row, op.dtype, nullptr, DType::kFloat32}, sums + m * columns, K);
    }
}

}  // namespace

void matmul_int8_transposed(Stream& any_stream, const MatMulInt8Transposed& op) {
    const CpuStream& stream = cpu_stream(any_stream);
    const Cut c = cut(stream, op.M, op.K);
    const int64_t tiles = c.tiles_m * c.tiles_k;
    stream.parallel_for(c.parts, 1, [&](int64_t first, int64_t last) {
        for (int64_t part = first; part < last; ++part) {
            float* sums = static_cast<float*>(op.workspace) + part * c.sums;
            for (int64_t tile = tiles * part / c.parts; tile < tiles * (part + 1) / c.parts; ++tile)
                gradient_tile(stream, op, tile / c.tiles_k * kGradientTileM, tile % c.tiles_k * c.columns, c.columns, sums);
        }
    });
}

int64_t matmul_int8_transposed_workspace(Stream& stream, const MatMulInt8Transposed& op) {
    const Cut c = cut(cpu_stream(stream), op.M, op.K);
    return c.parts * c.sums * 4;
}

}  // namespace halfbyte::cpu
