// 4-bit dequantization: the reference, and the entry that cuts a tensor into parts and expands nested statistics.
//
//   output[i] = round(codebook[code(i)] * absmax(i / blocksize))
//
// Reads 0.5 bytes per element and a statistic per block, writes 2 or 4.
#include "dequantize_4bit.h"

#include <algorithm>

#include "core/codebooks.h"
#include "core/formats.h"
#include "element.h"
#include "operations.h"

namespace halfbyte::cpu {
namespace scalar {

void dequantize_4bit(const Dequantize4BitPart& part) {
    with_element(part.dtype, [&](auto element) {
        using Element = decltype(element);
        auto* output = static_cast<typename Element::Type*>(part.output);
        for (int64_t i = 0; i < part.n; ++i) {
            const unsigned byte = part.packed[i / 2];
            const unsigned code = i % 2 == 0 ? byte >> 4 : byte & 15;
            output[i] = Element::store(part.codebook[code] * part.absmax[i / part.blocksize]);
        }
    });
}

}  // namespace scalar

namespace {

using Kernel = void (*)(const Dequantize4BitPart& part);

Kernel kernel_of(Path) { return scalar::dequantize_4bit; }

const float* codebook_of(const halfbyte_weight_4bit& weight) {
    if (weight.codebook != nullptr) return static_cast<const float*>(weight.codebook);
    return weight.quant_type == HALFBYTE_QUANT_TYPE_FP4 ? kFp4.data() : kNf4.data();
}

// Elements per unit of work: enough that starting a thread pays.
constexpr int64_t kGrain = 32768;

// An output of this many bytes leaves the caches before anyone reads it back.
constexpr int64_t kStreamingBytes = 16 << 20;

// Nested statistics are expanded this many blocks at a time, on the stack.
constexpr int64_t kBlocksAtOnce = 256;

}  // namespace

void dequantize_4bit(Stream& stream, const Dequantize4Bit& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const Kernel kernel = kernel_of(cpu.path);
    const halfbyte_weight_4bit& weight = op.weight;
    const int64_t n = weight.N * weight.K;
    // A grain is a multiple of every block size, so parts start at blocks and at whole bytes.
    cpu.parallel_for(n, kGrain, [&](int64_t first, int64_t last) {
        Dequantize4BitPart part{};
        part.codebook = codebook_of(weight);
        part.blocksize = weight.blocksize;
        part.dtype = op.dtype;
        part.streaming = n * size_of(op.dtype) >= kStreamingBytes;
        const int64_t step = is_nested(weight) ? kBlocksAtOnce * weight.blocksize : last - first;
        float expanded[kBlocksAtOnce];
        for (int64_t i = first; i < last; i += step) {
            const int64_t block = i / weight.blocksize;
            part.packed = static_cast<const uint8_t*>(weight.packed) + i / 2;
            part.n = std::min(step, last - i);
            part.output = static_cast<std::byte*>(op.output) + i * size_of(op.dtype);
            if (is_nested(weight)) {
                for (int64_t b = 0; b < ceil_div(part.n, weight.blocksize); ++b) expanded[b] = absmax_of(weight, block + b);
                part.absmax = expanded;
            } else {
                part.absmax = static_cast<const float*>(weight.absmax) + block;
            }
            kernel(part);
        }
    });
}

}  // namespace halfbyte::cpu
