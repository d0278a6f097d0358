// Blockwise 8-bit dequantization: the reference, and the entry that cuts a tensor into parts.
//
//   output[i] = round(codebook[codes[i]] * absmax[i / blocksize])
//
// Reads 1 byte per element and a statistic per block, writes 2 or 4.
#include "dequantize_blockwise.h"

#include <algorithm>

#include "core/codebooks.h"
#include "element.h"
#include "operations.h"

namespace halfbyte::cpu {
namespace scalar {

void dequantize_blockwise(const DequantizeBlockwisePart& part) {
    const DequantizeBlockwise& op = *part.op;
    with_element(op.dtype, [&](auto element) {
        using Element = decltype(element);
        auto* output = static_cast<typename Element::Type*>(op.output);
        for (int64_t first = part.first; first < part.last; first += op.blocksize) {
            const float absmax = op.absmax[first / op.blocksize];
            for (int64_t i = first; i < std::min(first + op.blocksize, part.last); ++i)
                output[i] = Element::store(part.codebook[op.codes[i]] * absmax);
        }
    });
}

}  // namespace scalar

namespace {

using Kernel = void (*)(const DequantizeBlockwisePart& part);

Kernel kernel_of(Path path) {
#if defined(__x86_64__)
    if (path == Path::kAvx512Bf16) return avx512_bf16::dequantize_blockwise;
    if (path == Path::kAvx512) return avx512::dequantize_blockwise;
    if (path == Path::kAvx2) return avx2::dequantize_blockwise;
#else
    (void)path;
#endif
    return scalar::dequantize_blockwise;
}

// Elements per unit of work: enough that starting a thread pays.
constexpr int64_t kGrain = 32768;

// An output of this many bytes leaves the caches before anyone reads it back.
constexpr int64_t kStreamingBytes = 16 << 20;

}  // namespace

void dequantize_blockwise(Stream& stream, const DequantizeBlockwise& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const Kernel kernel = kernel_of(cpu.path);
    const auto run = [&](Kernel chosen, int64_t first, int64_t last) {
        chosen({.op = &op,
                .codebook = op.codebook != nullptr ? op.codebook : dynamic_signed().data(),
                .streaming = op.n * size_of(op.dtype) >= kStreamingBytes,
                .first = first,
                .last = last});
    };
    // A grain is a multiple of every block size, so parts start at blocks.
    const int64_t full = op.n - op.n % std::max(op.blocksize, kDequantizeBlockwiseUnit);
    cpu.parallel_for(full, kGrain, [&](int64_t first, int64_t last) { run(kernel, first, last); });
    if (full < op.n) run(scalar::dequantize_blockwise, full, op.n);
}

}  // namespace halfbyte::cpu
