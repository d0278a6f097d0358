// What the four products share: their checks and their way to the backend. Weight is halfbyte_weight_4bit or halfbyte_weight_int8.
#pragma once

#include "call.h"
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

// Checks what the workspace depends on, and fills in the type and K.
template <class Weight>
void check_shape(const Stream& stream, int32_t dtype, MatMul<Weight>& op) {
    op.dtype = dtype_of(dtype, {"dtype"});
    op.K = check_weights(stream, op.count, op.weights, op.M);
    require_activations(op.M, op.K);
    if (!(op.threshold >= 0))
        fail(HALFBYTE_STATUS_INVALID_VALUE, "threshold is %g; expected 0 (no outliers) or more.",
             static_cast<double>(op.threshold));
}

template <class Weight>
void check_shape(const Stream& stream, int32_t dtype, MatMulTransposed<Weight>& op) {
    op.dtype = dtype_of(dtype, {"dtype"});
    op.K = check_weights(stream, op.count, op.weights, op.M);
    if (op.count == 0)
        fail(HALFBYTE_STATUS_INVALID_SIZE, "count is 0; dx needs at least one weight, which says how long its rows are.");
    require_activations(op.M, op.K);
    for (int64_t i = 0; i < op.count; ++i) require_activations(op.M, op.weights[i].N);
}

template <class Weight>
void check_operands(const MatMul<Weight>& op, int64_t workspace_bytes, int64_t workspace_needed) {
    require_host(op.outputs, "outputs");
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
void check_operands(const MatMulTransposed<Weight>& op, int64_t workspace_bytes, int64_t workspace_needed) {
    require_host(op.gradients, "gradients");
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

template <class Weight>
bool writes_nothing(const MatMul<Weight>& op) {
    return op.M == 0;
}
template <class Weight>
bool writes_nothing(const MatMulTransposed<Weight>& op) {
    return op.M == 0 || op.K == 0;
}

// A product of one kind: its two functions of the backend. `op` comes as the caller has it, without type and K.
template <class Op>
struct Product {
    void (*Backend::*multiply)(Stream& stream, const Op& op);
    int64_t (*Backend::*workspace)(Stream& stream, const Op& op);

    int32_t call(halfbyte_stream stream, Op op, int32_t dtype, int64_t workspace_bytes) const {
        return abi::call([&] {
            Stream& live = live_stream(stream);
            check_shape(live, dtype, op);
            if (op.count == 0) return;
            check_operands(op, workspace_bytes, (live.backend->*workspace)(live, op));
            if (!writes_nothing(op)) (live.backend->*multiply)(live, op);
        });
    }

    int32_t query(halfbyte_stream stream, Op op, int32_t dtype, int64_t* bytes) const {
        return abi::call([&] {
            Stream& live = live_stream(stream);
            check_shape(live, dtype, op);
            require_host(bytes, "bytes");
            *bytes = op.count == 0 ? 0 : (live.backend->*workspace)(live, op);
        });
    }
};

}  // namespace halfbyte::abi
