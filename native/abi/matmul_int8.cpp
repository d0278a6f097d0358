// halfbyte.h section 10: products with int8 weights.
#include "call.h"
#include "matmul.h"

using namespace halfbyte;
using abi::live_stream;
using abi::require_host;

int32_t halfbyte_matmul_int8(halfbyte_stream stream, int64_t count, const halfbyte_weight_int8* weights, const void* x,
                             int32_t dtype, int64_t M, int64_t ldx, float threshold, const halfbyte_output* outputs,
                             void* workspace, int64_t workspace_bytes) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        MatMulInt8 op = abi::matmul_shape(live, count, weights, dtype, M, threshold);
        if (count == 0) return;
        op.x = x;
        op.ldx = ldx;
        op.outputs = require_host(outputs, "outputs");
        op.workspace = workspace;
        abi::check_matmul(op, workspace_bytes, live.backend->matmul_int8_workspace(live, op));
        if (M == 0) return;
        live.backend->matmul_int8(live, op);
    });
}

int32_t halfbyte_matmul_int8_workspace(halfbyte_stream stream, int64_t count, const halfbyte_weight_int8* weights, int32_t dtype,
                                       int64_t M, float threshold, int64_t* bytes) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        const MatMulInt8 op = abi::matmul_shape(live, count, weights, dtype, M, threshold);
        require_host(bytes, "bytes");
        *bytes = count == 0 ? 0 : live.backend->matmul_int8_workspace(live, op);
    });
}

int32_t halfbyte_matmul_int8_transposed(halfbyte_stream stream, int64_t count, const halfbyte_weight_int8* weights,
                                        const halfbyte_gradient* gradients, int32_t dtype, int64_t M, void* dx, int64_t lddx,
                                        void* workspace, int64_t workspace_bytes) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        MatMulInt8Transposed op = abi::transposed_shape(live, count, weights, dtype, M);
        op.gradients = require_host(gradients, "gradients");
        op.dx = dx;
        op.lddx = lddx;
        op.workspace = workspace;
        abi::check_transposed(op, workspace_bytes, live.backend->matmul_int8_transposed_workspace(live, op));
        if (M == 0 || op.K == 0) return;
        live.backend->matmul_int8_transposed(live, op);
    });
}

int32_t halfbyte_matmul_int8_transposed_workspace(halfbyte_stream stream, int64_t count, const halfbyte_weight_int8* weights,
                                                  int32_t dtype, int64_t M, int64_t* bytes) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        const MatMulInt8Transposed op = abi::transposed_shape(live, count, weights, dtype, M);
        require_host(bytes, "bytes");
        *bytes = live.backend->matmul_int8_transposed_workspace(live, op);
    });
}
