// halfbyte.h section 10: products with int8 weights.
#include "matmul.h"

using namespace halfbyte;

namespace {

constexpr abi::Product<MatMulInt8> kProduct{&Backend::matmul_int8, &Backend::matmul_int8_workspace};
constexpr abi::Product<MatMulInt8Transposed> kTransposed{&Backend::matmul_int8_transposed,
                                                         &Backend::matmul_int8_transposed_workspace};

}  // namespace

int32_t halfbyte_matmul_int8(halfbyte_stream stream, int64_t count, const halfbyte_weight_int8* weights, const void* x,
                             int32_t dtype, int64_t M, int64_t ldx, float threshold, const halfbyte_output* outputs,
                             void* workspace, int64_t workspace_bytes) {
    return kProduct.call(stream, {count, weights, x, {}, M, 0, ldx, threshold, outputs, workspace}, dtype, workspace_bytes);
}

int32_t halfbyte_matmul_int8_workspace(halfbyte_stream stream, int64_t count, const halfbyte_weight_int8* weights, int32_t dtype,
                                       int64_t M, float threshold, int64_t* bytes) {
    return kProduct.query(stream, {count, weights, nullptr, {}, M, 0, 0, threshold, nullptr, nullptr}, dtype, bytes);
}

int32_t halfbyte_matmul_int8_transposed(halfbyte_stream stream, int64_t count, const halfbyte_weight_int8* weights,
                                        const halfbyte_gradient* gradients, int32_t dtype, int64_t M, void* dx, int64_t lddx,
                                        void* workspace, int64_t workspace_bytes) {
    return kTransposed.call(stream, {count, weights, gradients, {}, M, 0, dx, lddx, workspace}, dtype, workspace_bytes);
}

int32_t halfbyte_matmul_int8_transposed_workspace(halfbyte_stream stream, int64_t count, const halfbyte_weight_int8* weights,
                                                  int32_t dtype, int64_t M, int64_t* bytes) {
    return kTransposed.query(stream, {count, weights, nullptr, {}, M, 0, nullptr, 0, nullptr}, dtype, bytes);
}
