// y = x * W^T + bias for int8 weights with outlier columns (halfbyte.h section 10): LLM.int8().
//
//   a[m] = ax[m] * (1.0f / 127)     w[n] = absmax[n] * (1.0f / 127)
//   y[m, n] = (float(sum over k of qx[m, k] * codes[n, k]) * a[m] + sum over c in C of x[m, c] * codes[n, c]) * w[n] + bias[n]
// in float32, in this order, except that the integer sum is exact and the one over C runs in ascending order. One rounding to y's
// type at the end. Every element is computed whole by one thread, so the result does not depend on their number.
//
// x is quantized once, for all weights. The product is cut into tiles of kInt8TileM x kInt8TileN; tiles of one strip of weight
// rows follow each other, so the strip is read once from memory and then from the cache. Outlier values are gathered per tile:
// their number is not known when the workspace is sized, and it is small.
#include "matmul_int8.h"

#include <algorithm>

#include "core/formats.h"
#include "epilogue.h"
#include "operations.h"
#include "quantize_int8_rows.h"

namespace halfbyte::cpu {
namespace {

constexpr float kInverse127 = 1.0f / 127.0f;
constexpr int64_t kOutliersAtOnce = 32;

struct Kernels {
    DotInt8 dot;
    AddOutliers add_outliers;
};

Kernels kernels_of([[maybe_unused]] Path path) {
#if defined(__x86_64__)
    if (path >= Path::kAvx512Bf16) return {dot_int8_avx512_bf16, add_outliers_avx512};
    if (path >= Path::kAvx512) return {dot_int8_avx512, add_outliers_avx512};
    if (path >= Path::kAvx2) return {dot_int8_avx2, add_outliers_avx2};
#endif
    return {dot_int8_scalar, add_outliers_scalar};
}

// The workspace: parts in the order of their members, each aligned to 64 bytes.
struct Workspace {
    int64_t ldx;     // row length of codes
    int64_t absmax;  // offsets in bytes
    int64_t outlier_columns;
    int64_t outlier_masks;
    int64_t bytes;
};

Workspace layout(const CpuStream& stream, int64_t M, int64_t K, float threshold) {
    const auto padded = [](int64_t bytes) { return ceil_div(bytes, 64) * 64; };
    if (M == 0 || K == 0) return {};
    Workspace w{};
    w.ldx = ceil_div(K, kInt8Pad) * kInt8Pad;
    w.absmax = M * w.ldx;
    w.outlier_columns = w.absmax + padded(M * 4);
    w.outlier_masks = w.outlier_columns + (threshold > 0 ? padded(K * 8) : 0);
    w.bytes = w.outlier_masks + padded(outlier_mask_bytes(stream, M, K, threshold));
    return w;
}

// x after quantization.
struct Quantized {
    const int8_t* codes;
    int64_t ldx;
    const float* absmax;
    const int64_t* outlier_columns;
    int64_t outlier_count;
};

// sums = float(exact sum of qx * codes) for a tile of any K.
void integer_part(const Kernels& kernels, Int8Tile tile, float* sums) {
    int32_t part[kInt8TileSums];
    const int64_t count = tile.M * tile.ldsums;
    if (tile.K <= kInt8ExactK) {
        kernels.dot(tile, part);
        for (int64_t i = 0; i < count; ++i) sums[i] = static_cast<float>(part[i]);
        return;
    }
    int64_t wide[kInt8TileSums] = {};
    for (int64_t K = tile.K; K > 0; K -= tile.K) {
        tile.K = std::min(kInt8ExactK, K);
        kernels.dot(tile, part);
        for (int64_t i = 0; i < count; ++i) wide[i] += part[i];
        tile.x += tile.K;
        tile.w += tile.K;
    }
    for (int64_t i = 0; i < count; ++i) sums[i] = static_cast<float>(wide[i]);
}

// sums += x[m, c] * codes[n, c] over the outlier columns c. The tile has kInt8TileN rows of the weight at most.
void outlier_part(const Kernels& kernels, const MatMulInt8& op, const Quantized& q, int64_t first_m, const Int8Tile& tile,
                  float* sums) {
    float x[kInt8TileM * kOutliersAtOnce];
    float w[kOutliersAtOnce * kInt8TileN] = {};
    for (int64_t first = 0; first < q.outlier_count; first += kOutliersAtOnce) {
        const int64_t count = std::min(kOutliersAtOnce, q.outlier_count - first);
        const int64_t* columns = q.outlier_columns + first;
        for (int64_t m = 0; m < tile.M; ++m)
            for (int64_t c = 0; c < count; ++c) x[m * count + c] = load_float(op.dtype, op.x, (first_m + m) * op.ldx + columns[c]);
        for (int64_t n = 0; n < tile.N; ++n)
            for (int64_t c = 0; c < count; ++c) w[c * kInt8TileN + n] = static_cast<float>(tile.w[n * tile.ldw + columns[c]]);
        kernels.add_outliers(x, w, tile.M, count, sums);
    }
}

// One tile: rows first_m and on of x, rows first_n and on of weight i.
struct Place {
    int64_t i, first_m, M, first_n, N;
};

void product_tile(const CpuStream& stream, const MatMulInt8& op, const Quantized& q, const Place& at) {
    const Kernels kernels = kernels_of(stream.path);
    const halfbyte_weight_int8& weight = op.weights[at.i];
    const int64_t ld = ceil_div(at.N, kInt8TileN) * kInt8TileN;
    const Int8Tile tile = {q.codes + at.first_m * q.ldx,
                           q.ldx,
                           static_cast<const int8_t*>(weight.codes) + at.first_n * op.K,
                           op.K,
                           at.M,
                           at.N,
                           op.K,
                           ld};
    float sums[kInt8TileSums], w[kInt8TileSums];
    for (int64_t n = 0; n < at.N; ++n) w[n] = static_cast<const float*>(weight.absmax)[at.first_n + n] * kInverse127;
    if (op.K > 0) integer_part(kernels, tile, sums);
    for (int64_t m = 0; m < at.M && op.K > 0; ++m) {
        const float a = q.absmax[at.first_m + m] * kInverse127;
        for (int64_t n = 0; n < at.N; ++n) sums[m * ld + n] *= a;
    }
    if (q.outlier_count > 0) outlier_part(kernels, op, q, at.first_m, tile, sums);
    for (int64_t m = 0; m < at.M; ++m) {
        for (int64_t n = 0; n < at.N; ++n) sums[m * ld + n] = op.K > 0 ? sums[m * ld + n] * w[n] : 0.0f;
        store_row(stream.path, output_row(op.outputs[at.i], op.dtype, at.first_m + m, at.first_n), sums + m * ld, at.N);
    }
}

}  // namespace

void matmul_int8(Stream& any_stream, const MatMulInt8& op) {
    const CpuStream& stream = cpu_stream(any_stream);
    const Workspace offsets = layout(stream, op.M, op.K, op.threshold);
    char* workspace = static_cast<char*>(op.workspace);
    Quantized q{};
    if (op.M > 0 && op.K > 0) {
        auto* codes = reinterpret_cast<int8_t*>(workspace);
        auto* absmax = reinterpret_cast<float*>(workspace + offsets.absmax);
        auto* columns = reinterpret_cast<int64_t*>(workspace + offsets.outlier_columns);
        auto* masks = reinterpret_cast<uint64_t*>(workspace + offsets.outlier_masks);
        const int64_t count =
            rows_to_int8(stream, {op.x, op.dtype, op.M, op.K, op.ldx, op.threshold, codes, offsets.ldx, absmax, columns, masks});
        q = {codes, offsets.ldx, absmax, columns, count};
    }

    // Strips in the order weight, strip of its rows, strip of x rows. A thread takes a run of them; with few rows of x it joins
    // neighbours in one tile, unless outliers are to be gathered from a strip that is still in the cache.
    const int64_t strips_m = ceil_div(op.M, kInt8TileM);
    const int64_t joined = q.outlier_count > 0 || op.M == 0 ? 1 : std::max<int64_t>(1, kInt8TileM / op.M);
    int64_t strips = 0;
    for (int64_t i = 0; i < op.count; ++i) strips += ceil_div(op.weights[i].N, kInt8TileN);
    stream.parallel_for(strips * strips_m, 1, [&](int64_t first, int64_t last) {
        int64_t i = 0, before = 0;  // strips of the weights before i
        for (int64_t at = first; at < last;) {
            const int64_t strip = at / strips_m;
            while (strip - before >= ceil_div(op.weights[i].N, kInt8TileN)) before += ceil_div(op.weights[i++].N, kInt8TileN);
            const int64_t first_m = at % strips_m * kInt8TileM, first_n = (strip - before) * kInt8TileN;
            const int64_t count = std::min(joined, last - at);
            const int64_t N = std::min(count * kInt8TileN, op.weights[i].N - first_n);
            product_tile(stream, op, q, {i, first_m, std::min(kInt8TileM, op.M - first_m), first_n, N});
            at += strips_m > 1 ? 1 : ceil_div(N, kInt8TileN);
        }
    });
}

int64_t matmul_int8_workspace(Stream& stream, const MatMulInt8& op) {
    return layout(cpu_stream(stream), op.M, op.K, op.threshold).bytes;
}

}  // namespace halfbyte::cpu
