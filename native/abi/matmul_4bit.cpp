// halfbyte.h section 10: products with 4-bit weights.
#include "matmul.h"

using namespace halfbyte;

namespace {

constexpr abi::Product<MatMul4Bit> kProduct{&Backend::matmul_4bit, &Backend::matmul_4bit_workspace};
constexpr abi::Product<MatMul4BitTransposed> kTransposed{&Backend::matmul_4bit_transposed,
                                                         &Backend::matmul_4bit_transposed_workspace};

}  // namespace

int32_t halfbyte_matmul_4bit(halfbyte_stream stream, int64_t count, const halfbyte_weight_4bit* weights, const void* x,
                             int32_t dtype, int64_t M, int64_t ldx, const halfbyte_output* outputs, void* workspace,
                             int64_t workspace_bytes) {
    return kProduct.call(stream, {count, weights, x, {}, M, 0, ldx, 0.0f, outputs, workspace}, dtype, workspace_bytes);
}

int32_t halfbyte_matmul_4bit_workspace(halfbyte_stream stream, int64_t count, const halfbyte_weight_4bit* weights, int32_t dtype,
                                       int64_t M, int64_t* bytes) {
    return kProduct.query(stream, {count, weights, nullptr, {}, M, 0, 0, 0.0f, nullptr, nullptr}, dtype, bytes);
}

int32_t halfbyte_matmul_4bit_transposed(halfbyte_stream stream, int64_t count, const halfbyte_weight_4bit* weights,
                                        const halfbyte_gradient* gradients, int32_t dtype, int64_t M, void* dx, int64_t lddx,
                                        void* workspace, int64_t workspace_bytes) {
    return kTransposed.call(stream, {count, weights, gradients, {}, M, 0, dx, lddx, workspace}, dtype, workspace_bytes);
}

int32_t halfbyte_matmul_4bit_transposed_workspace(halfbyte_stream stream, int64_t count, const halfbyte_weight_4bit* weights,
                                                  int32_t dtype, int64_t M, int64_t* bytes) {
    return kTransposed.query(stream, {count, weights, nullptr, {}, M, 0, nullptr, 0, nullptr}, dtype, bytes);
}
