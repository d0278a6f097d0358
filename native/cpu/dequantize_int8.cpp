// Row-wise int8 to floating point (halfbyte.h section 9): cuts the rows.
#include "dequantize_int8.h"

#include "activations.h"
#include "operations.h"

namespace halfbyte::cpu {
namespace {

constexpr int64_t kStreamingBytes = int64_t{4} << 20;  // larger outputs would only push other data out of the caches

void dequantize(const Int8Rows& rows, [[maybe_unused]] Path path) {
#if defined(__x86_64__)
    if (path >= Path::kAvx512) return dequantize_int8_avx512(rows);
    if (path >= Path::kAvx2) return dequantize_int8_avx2(rows);
#endif
    dequantize_int8_scalar(rows);
}

}  // namespace

void dequantize_int8(Stream& stream, const DequantizeInt8& op) {
    const int64_t N = op.weight.N, K = op.weight.K;
    const bool streaming = N * K * size_of(op.dtype) >= kStreamingBytes;
    const auto* codes = static_cast<const int8_t*>(op.weight.codes);
    const auto* absmax = static_cast<const float*>(op.weight.absmax);
    cpu_stream(stream).parallel_for(N, 1, [&](int64_t first, int64_t last) {
        void* output = element_at(op.dtype, op.output, first * K);
        dequantize({codes + first * K, absmax + first, last - first, K, output, op.dtype, streaming}, cpu_stream(stream).path);
    });
}

}  // namespace halfbyte::cpu
