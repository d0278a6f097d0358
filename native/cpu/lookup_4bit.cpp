// Rows of a 4-bit weight.
//
//   output[m, k] = value(indices[m] * K + k)
//
// The work is cut by elements of the output, so that one long row is shared as well as many short ones. A row is a part of the
// weight like any other, and the kernels of dequantize_4bit decode it. Reads 0.5 bytes per element, a statistic per block and an
// index per row, writes 2 or 4.
#include <algorithm>

#include "dequantize_4bit.h"
#include "operations.h"

namespace halfbyte::cpu {

void lookup_4bit(Stream& stream, const Lookup4Bit& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const int64_t K = op.weight.K, n = op.M * K, size = size_of(op.dtype);
    const auto row_at = [&](int64_t m) {
        return op.index_type == IndexType::kInt32 ? static_cast<const int32_t*>(op.indices)[m]
                                                  : static_cast<const int64_t*>(op.indices)[m];
    };
    cpu.parallel_for(n, kDequantize4BitGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end;) {
            const int64_t m = i / K, k = i % K, count = std::min(K - k, end - i), first = row_at(m) * K + k;
            dequantize_4bit(cpu.path, {.weight = &op.weight,
                                       .codebook = codebook_of(op.weight),
                                       .output = static_cast<char*>(op.output) + (m * op.ldoutput + k) * size,
                                       .dtype = op.dtype,
                                       .streaming = n * size >= kDequantize4BitStreaming,
                                       .first = first,
                                       .last = first + count});
            i += count;
        }
    });
}

}  // namespace halfbyte::cpu
