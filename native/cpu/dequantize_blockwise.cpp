// Blockwise 8-bit dequantization: the reference, and the entry that cuts a tensor into parts.
//
//   output[i] = round(codebook[codes[i]] * absmax[i / blocksize])
//
// Reads 1 byte per element and a statistic per block, writes 2 or 4.
#include "dequantize_blockwise.h"

#include <algorithm>

#include "core/codebooks.h"
#include "core/formats.h"
#include "element.h"
#include "operations.h"

namespace halfbyte::cpu {
namespace scalar {

void dequantize_blockwise(const DequantizeBlockwise& part) {
    with_element(part.dtype, [&](auto element) {
        using Element = decltype(element);
        auto* output = static_cast<typename Element::Type*>(part.output);
        for (int64_t b = 0; b < ceil_div(part.n, part.blocksize); ++b) {
            const int64_t last = std::min((b + 1) * part.blocksize, part.n);
            for (int64_t i = b * part.blocksize; i < last; ++i)
                output[i] = Element::store(part.codebook[part.codes[i]] * part.absmax[b]);
        }
    });
}

}  // namespace scalar

namespace {

using Kernel = void (*)(const DequantizeBlockwise& part);

Kernel kernel_of(Path) { return scalar::dequantize_blockwise; }

// Elements per unit of work: enough that starting a thread pays.
constexpr int64_t kGrain = 32768;

}  // namespace

void dequantize_blockwise(Stream& stream, const DequantizeBlockwise& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const Kernel kernel = kernel_of(cpu.path);
    // A grain is a multiple of every block size, so parts start at blocks.
    cpu.parallel_for(op.n, kGrain, [&](int64_t first, int64_t last) {
        DequantizeBlockwise part = op;
        part.codes = op.codes + first;
        part.absmax = op.absmax + first / op.blocksize;
        part.n = last - first;
        part.codebook = op.codebook != nullptr ? op.codebook : dynamic_signed().data();
        part.output = static_cast<std::byte*>(op.output) + first * size_of(op.dtype);
        kernel(part);
    });
}

}  // namespace halfbyte::cpu
