// halfbyte.h section 9: row-wise int8 quantization, both ways.
#include "call.h"
#include "checks.h"
#include "core/formats.h"

using namespace halfbyte;
using abi::live_stream;
using abi::Ranges;

namespace {

void check_rows(int64_t rows, int64_t cols, float threshold) {
    abi::require_not_negative(rows, "rows");
    abi::require_not_negative(cols, "cols");
    if (cols != 0) abi::checked_bytes(rows, cols > INT64_MAX / 8 ? INT64_MAX : cols * 8, "rows");
    if (!(threshold >= 0))
        fail(HALFBYTE_STATUS_INVALID_VALUE, "threshold is %g; expected 0 (no outliers) or more.", static_cast<double>(threshold));
}

}  // namespace

int32_t halfbyte_quantize_int8_rows(halfbyte_stream stream, const void* input, int32_t dtype, int64_t rows, int64_t cols,
                                    int64_t ldinput, float threshold, int8_t* codes, float* absmax, int64_t* outlier_columns,
                                    int64_t* outlier_count, void* workspace, int64_t workspace_bytes) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        const DType type = abi::dtype_of(dtype, {"dtype"});
        check_rows(rows, cols, threshold);
        if (threshold == 0 && (outlier_columns != nullptr || outlier_count != nullptr))
            fail(HALFBYTE_STATUS_INVALID_VALUE,
                 "outlier_columns and outlier_count must be null when threshold is 0: there are none.");
        Ranges ranges;
        ranges.input({"input"}, input, rows, cols, ldinput, {"ldinput"}, size_of(type));
        ranges.output({"codes"}, codes, rows * cols, 1);
        ranges.output({"absmax"}, absmax, rows, 4);
        if (threshold > 0) {
            ranges.output({"outlier_columns"}, outlier_columns, cols, 8);
            ranges.output({"outlier_count"}, outlier_count, 1, 8);
        }
        ranges.workspace(workspace, workspace_bytes, live.backend->quantize_int8_rows_workspace(live, rows, cols, threshold));
        ranges.finish();
        if (rows == 0 && threshold == 0) return;
        live.backend->quantize_int8_rows(
            live, {input, type, rows, cols, ldinput, threshold, codes, absmax, outlier_columns, outlier_count, workspace});
    });
}

int32_t halfbyte_quantize_int8_rows_workspace(halfbyte_stream stream, int64_t rows, int64_t cols, float threshold, int64_t* bytes) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        check_rows(rows, cols, threshold);
        abi::require_host(bytes, "bytes");
        *bytes = live.backend->quantize_int8_rows_workspace(live, rows, cols, threshold);
    });
}

int32_t halfbyte_dequantize_int8(halfbyte_stream stream, const halfbyte_weight_int8* weight, void* output, int32_t dtype) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        abi::require_host(weight, "weight");
        const DType type = abi::dtype_of(dtype, {"dtype"});
        abi::check_shape(live, *weight, -1);
        Ranges ranges;
        abi::add_inputs(ranges, *weight, -1);
        ranges.output({"output"}, output, weight->N * weight->K, size_of(type));
        ranges.finish();
        if (weight->N == 0 || weight->K == 0) return;
        live.backend->dequantize_int8(live, {*weight, output, type});
    });
}
