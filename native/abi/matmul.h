// The checks that the four products share. Weight is halfbyte_weight_4bit or halfbyte_weight_int8.
#pragma once

#include "checks.h"

namespace halfbyte::abi {

// Checks count, M and the weights' shapes, and returns their common K (0 if there are no weights).
template <class Weight>
int64_t check_weights(const Stream& stream, int64_t count, const Weight* weights, int64_t M) {
    require_not_negative(count, "count");
    require_not_negative(M, "M");
    if (count == 0) return 0;
    require_host(weights, "weights");
    for (int64_t i = 0; i < count; ++i) {
        check_shape(stream, weights[i], i);
        if (weights[i].K != weights[0].K)
            fail(HALFBYTE_STATUS_INVALID_SIZE, "weights[%lld].K is %lld but weights[0].K is %lld; one call multiplies one x.",
                 static_cast<long long>(i), static_cast<long long>(weights[i].K), static_cast<long long>(weights[0].K));
    }
    return weights[0].K;
}

// Scratch is a small multiple of the activations: if these overflow, so would it.
inline void require_activations(int64_t M, int64_t K) {
    if (K != 0) checked_bytes(M, K > INT64_MAX / 64 ? INT64_MAX : K * 64, "M");
}

template <class Weight>
MatMul<Weight> matmul_shape(const Stream& stream, int64_t count, const Weight* weights, int32_t dtype, int64_t M, float threshold) {
    const DType type = dtype_of(dtype, {"dtype"});
    const int64_t K = check_weights(stream, count, weights, M);
    require_activations(M, K);
    if (!(threshold >= 0))
        fail(HALFBYTE_STATUS_INVALID_VALUE, "threshold is %g; expected 0 (no outliers) or more.", static_cast<double>(threshold));
    return {count, weights, nullptr, type, M, K, K, threshold, nullptr, nullptr};
}

template <class Weight>
void check_matmul(const MatMul<Weight>& op, int64_t workspace_bytes, int64_t workspace_needed) {
    Ranges ranges;
    ranges.input({"x"}, op.x, op.M, op.K, op.ldx, {"ldx"}, size_of(op.dtype));
    for (int64_t i = 0; i < op.count; ++i) {
        const int64_t N = op.weights[i].N;
        const halfbyte_output& output = op.outputs[i];
        add_inputs(ranges, op.weights[i], i);
        if (output.bias != nullptr) {
            if (output.bias_dtype < INT32_MIN || output.bias_dtype > INT32_MAX)
                fail(HALFBYTE_STATUS_INVALID_DTYPE, "outputs[%lld].bias_dtype is not in enum halfbyte_dtype.",
                     static_cast<long long>(i));
            const DType bias = dtype_of(static_cast<int32_t>(output.bias_dtype), {"outputs", i, "bias_dtype"});
            ranges.input({"outputs", i, "bias"}, output.bias, N, size_of(bias));
        }
        ranges.output({"outputs", i, "y"}, output.y, op.M, N, output.ldy, {"outputs", i, "ldy"}, size_of(op.dtype));
    }
    ranges.workspace(op.workspace, workspace_bytes, workspace_needed);
    ranges.finish();
}

template <class Weight>
MatMulTransposed<Weight> transposed_shape(const Stream& stream, int64_t count, const Weight* weights, int32_t dtype, int64_t M) {
    const DType type = dtype_of(dtype, {"dtype"});
    const int64_t K = check_weights(stream, count, weights, M);
    if (count == 0)
        fail(HALFBYTE_STATUS_INVALID_SIZE, "count is 0; dx needs at least one weight, which says how long its rows are.");
    require_activations(M, K);
    for (int64_t i = 0; i < count; ++i) require_activations(M, weights[i].N);
    return {count, weights, nullptr, type, M, K, nullptr, K, nullptr};
}

template <class Weight>
void check_transposed(const MatMulTransposed<Weight>& op, int64_t workspace_bytes, int64_t workspace_needed) {
    Ranges ranges;
    for (int64_t i = 0; i < op.count; ++i) {
        add_inputs(ranges, op.weights[i], i);
        ranges.input({"gradients", i, "dy"}, op.gradients[i].dy, op.M, op.weights[i].N, op.gradients[i].lddy,
                     {"gradients", i, "lddy"}, size_of(op.dtype));
    }
    ranges.output({"dx"}, op.dx, op.M, op.K, op.lddx, {"lddx"}, size_of(op.dtype));
    ranges.workspace(op.workspace, workspace_bytes, workspace_needed);
    ranges.finish();
}

}  // namespace halfbyte::abi
