// Row-wise int8 to floating point (halfbyte.h section 9): cuts the rows.
#include "dequantize_int8.h"

#include "operations.h"

namespace halfbyte::cpu {
namespace {

constexpr int64_t kStreamingBytes = int64_t{4} << 20;  // larger outputs would only push other data out of the caches

DequantizeInt8Row kernel_of(Path) { return dequantize_int8_row_scalar; }

}  // namespace

void dequantize_int8(Stream& stream, const DequantizeInt8& op) {
    const DequantizeInt8Row kernel = kernel_of(cpu_stream(stream).path);
    const int64_t K = op.weight.K, row_bytes = K * size_of(op.dtype);
    const bool streaming = op.weight.N * row_bytes >= kStreamingBytes;
    const auto* codes = static_cast<const int8_t*>(op.weight.codes);
    const auto* absmax = static_cast<const float*>(op.weight.absmax);
    cpu_stream(stream).parallel_for(op.weight.N, 1, [&](int64_t first, int64_t last) {
        for (int64_t n = first; n < last; ++n)
            kernel(codes + n * K, absmax[n], K, streaming, static_cast<char*>(op.output) + n * row_bytes, op.dtype);
    });
}

}  // namespace halfbyte::cpu
