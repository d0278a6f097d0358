// The CUDA backend: the table. Streams and memory are in cuda_stream.cpp, the launchers in files of their operations' names.
#include "core/backend.h"

#include <algorithm>

#include "cuda_stream.h"
#include "error.h"
#include "kernels.h"

#ifndef HALFBYTE_CUDA_NAME
#define HALFBYTE_CUDA_NAME "cuda"
#endif

namespace halfbyte::cuda {
namespace {

// An operation's name as a template argument, for the sentence of an error.
template <size_t length>
struct Name {
    char text[length];
    consteval Name(const char (&from)[length]) { std::copy_n(from, length, text); }
};

// Calls a launcher on the stream's device.
template <Name name, auto launcher, class Op>
void enqueue(Stream& stream, const Op& op) {
    const CudaStream& cuda = cuda_stream(stream);
    const OnDevice on(cuda.ordinal);
    check(launcher(op, cuda.handle), name.text, cuda.ordinal);
}

// Kernels, and so their workspace, depend on the device.
template <auto query, class Op>
int64_t workspace(Stream& stream, const Op& op) {
    const OnDevice on(cuda_stream(stream).ordinal);
    return query(op);
}

int64_t int8_rows_workspace(Stream&, int64_t rows, int64_t cols, float threshold) {
    return quantize_int8_rows_workspace(rows, cols, threshold);
}

}  // namespace
}  // namespace halfbyte::cuda

namespace halfbyte {

const Backend* cuda_backend() {
    static const Backend backend = {
        .name = HALFBYTE_CUDA_NAME,
        .device_count = cuda::device_count,
        .device_name = cuda::device_name,
        .device_memory = cuda::device_memory,
        .stream_create = cuda::stream_create,
        .stream_wrap = cuda::stream_wrap,
        .stream_synchronize = cuda::stream_synchronize,
        .stream_destroy = cuda::stream_destroy,
        .stream_describe = cuda::stream_describe,
        .allocate = cuda::allocate,
        .free = cuda::free_memory,
        .copy_from_host = cuda::copy_from_host,
        .copy_to_host = cuda::copy_to_host,
        .copy = cuda::copy,
        .fill = cuda::fill,
        .quantize_4bit = cuda::enqueue<"quantize_4bit", cuda::quantize_4bit>,
        .dequantize_4bit = cuda::enqueue<"dequantize_4bit", cuda::dequantize_4bit>,
        .lookup_4bit = cuda::enqueue<"lookup_4bit", cuda::lookup_4bit>,
        .quantize_blockwise = cuda::enqueue<"quantize_blockwise", cuda::quantize_blockwise>,
        .dequantize_blockwise = cuda::enqueue<"dequantize_blockwise", cuda::dequantize_blockwise>,
        .double_quantize = cuda::enqueue<"double_quantize", cuda::double_quantize>,
        .double_dequantize = cuda::enqueue<"double_dequantize", cuda::double_dequantize>,
        .quantize_int8_rows = cuda::enqueue<"quantize_int8_rows", cuda::quantize_int8_rows>,
        .quantize_int8_rows_workspace = cuda::int8_rows_workspace,
        .dequantize_int8 = cuda::enqueue<"dequantize_int8", cuda::dequantize_int8>,
        .matmul_4bit = cuda::enqueue<"matmul_4bit", cuda::matmul_4bit>,
        .matmul_4bit_workspace = cuda::workspace<cuda::matmul_4bit_workspace>,
        .matmul_4bit_transposed = cuda::enqueue<"matmul_4bit_transposed", cuda::matmul_4bit_transposed>,
        .matmul_4bit_transposed_workspace = cuda::workspace<cuda::matmul_4bit_transposed_workspace>,
        .matmul_int8 = cuda::enqueue<"matmul_int8", cuda::matmul_int8>,
        .matmul_int8_workspace = cuda::workspace<cuda::matmul_int8_workspace>,
        .matmul_int8_transposed = cuda::enqueue<"matmul_int8_transposed", cuda::matmul_int8_transposed>,
        .matmul_int8_transposed_workspace = cuda::workspace<cuda::matmul_int8_transposed_workspace>,
    };
    return &backend;
}

}  // namespace halfbyte
