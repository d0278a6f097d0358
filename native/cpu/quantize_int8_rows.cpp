// Row-wise int8 quantization (halfbyte.h section 9): cuts the rows, collects the outlier columns.
//
// Rows are read once: a row's codes need only its own absmax, so they are written at once, and the columns that turn out to hold
// an outlier somewhere are zeroed at the end. Each part of the rows marks outliers in a bit mask of its own; the masks are or-ed,
// so the result does not depend on the cut.
#include "quantize_int8_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/formats.h"
#include "cpu_stream.h"
#include "operations.h"

namespace halfbyte::cpu {
namespace {

QuantizeInt8Row kernel_of([[maybe_unused]] Path path) {
#if defined(__x86_64__)
    if (path >= Path::kAvx512) return quantize_int8_row_avx512;
    if (path >= Path::kAvx2) return quantize_int8_row_avx2;
#endif
    return quantize_int8_row_scalar;
}

int64_t parts_of(const CpuStream& stream, int64_t rows) { return std::min<int64_t>(stream.threads, rows); }

// The or of all masks, as a list of columns.
int64_t list_columns(const uint64_t* masks, int64_t parts, int64_t words, int64_t* columns) {
    int64_t count = 0;
    for (int64_t w = 0; w < words; ++w) {
        uint64_t mask = 0;
        for (int64_t part = 0; part < parts; ++part) mask |= masks[part * words + w];
        for (; mask != 0; mask &= mask - 1) columns[count++] = w * 64 + std::countr_zero(mask);
    }
    return count;
}

}  // namespace

int64_t outlier_mask_bytes(const CpuStream& stream, int64_t rows, int64_t cols, float threshold) {
    return threshold > 0 ? parts_of(stream, rows) * ceil_div(cols, 64) * 8 : 0;
}

int64_t rows_to_int8(const CpuStream& stream, const RowsToInt8& work) {
    const QuantizeInt8Row kernel = kernel_of(stream.path);
    const int64_t parts = parts_of(stream, work.rows), words = ceil_div(work.cols, 64);
    const int64_t row_bytes = work.ldinput * size_of(work.dtype);
    stream.parallel_for(parts, 1, [&](int64_t first_part, int64_t last_part) {
        for (int64_t part = first_part; part < last_part; ++part) {
            uint64_t* mask = nullptr;
            if (work.threshold > 0) {
                mask = work.outlier_masks + part * words;
                std::fill_n(mask, words, uint64_t{0});
            }
            for (int64_t r = work.rows * part / parts; r < work.rows * (part + 1) / parts; ++r) {
                const void* x = static_cast<const char*>(work.input) + r * row_bytes;
                int8_t* codes = work.codes + r * work.ldcodes;
                work.absmax[r] = kernel(x, work.dtype, work.cols, work.threshold, mask, codes);
                std::fill(codes + work.cols, codes + work.ldcodes, int8_t{0});
            }
        }
    });
    if (!(work.threshold > 0)) return 0;

    const int64_t count = list_columns(work.outlier_masks, parts, words, work.outlier_columns);
    if (count == 0) return 0;
    stream.parallel_for(work.rows, 16, [&](int64_t first, int64_t last) {
        for (int64_t r = first; r < last; ++r)
            for (int64_t c = 0; c < count; ++c) work.codes[r * work.ldcodes + work.outlier_columns[c]] = 0;
    });
    return count;
}

void quantize_int8_rows(Stream& stream, const QuantizeInt8Rows& op) {
    const int64_t count =
        rows_to_int8(cpu_stream(stream), {op.input, op.dtype, op.rows, op.cols, op.ldinput, op.threshold, op.codes, op.cols,
                                          op.absmax, op.outlier_columns, static_cast<uint64_t*>(op.workspace)});
    if (op.threshold > 0) *op.outlier_count = count;
}

int64_t quantize_int8_rows_workspace(Stream& stream, int64_t rows, int64_t cols, float threshold) {
    return outlier_mask_bytes(cpu_stream(stream), rows, cols, threshold);
}

}  // namespace halfbyte::cpu
