// 4-bit dequantization: the reference, and the entry that cuts a tensor into parts.
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
    const halfbyte_weight_4bit& weight = *part.weight;
    const auto* packed = static_cast<const uint8_t*>(weight.packed);
    with_element(part.dtype, [&](auto element) {
        using Element = decltype(element);
        auto* output = static_cast<typename Element::Type*>(part.output);
        for (int64_t first = part.first; first < part.last; first += weight.blocksize) {
            const float absmax = absmax_of(weight, first / weight.blocksize);
            for (int64_t i = first; i < std::min(first + weight.blocksize, part.last); ++i) {
                const unsigned code = i % 2 == 0 ? packed[i / 2] >> 4 : packed[i / 2] & 15;
                output[i] = Element::store(part.codebook[code] * absmax);
            }
        }
    });
}

}  // namespace scalar

namespace {

using Kernel = void (*)(const Dequantize4BitPart& part);

Kernel kernel_of(Path path) {
#if defined(__x86_64__)
    if (path >= Path::kAvx512) return avx512::dequantize_4bit;
    if (path == Path::kAvx2) return avx2::dequantize_4bit;
#else
    (void)path;
#endif
    return scalar::dequantize_4bit;
}

const float* codebook_of(const halfbyte_weight_4bit& weight) {
    if (weight.codebook != nullptr) return static_cast<const float*>(weight.codebook);
    return weight.quant_type == HALFBYTE_QUANT_TYPE_FP4 ? kFp4.data() : kNf4.data();
}

// Elements per unit of work: enough that starting a thread pays.
constexpr int64_t kGrain = 32768;

// An output of this many bytes leaves the caches before anyone reads it back.
constexpr int64_t kStreamingBytes = 16 << 20;

}  // namespace

void dequantize_4bit(Stream& stream, const Dequantize4Bit& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const Kernel kernel = kernel_of(cpu.path);
    const halfbyte_weight_4bit& weight = op.weight;
    const int64_t n = weight.N * weight.K;
    const auto run = [&](Kernel chosen, int64_t first, int64_t last) {
        chosen({.weight = &weight,
                .codebook = codebook_of(weight),
                .output = op.output,
                .dtype = op.dtype,
                .streaming = n * size_of(op.dtype) >= kStreamingBytes,
                .first = first,
                .last = last});
    };
    // A grain is a multiple of every block size, so parts start at blocks and at whole bytes.
    const int64_t full = n - n % weight.blocksize;
    cpu.parallel_for(full, kGrain, [&](int64_t first, int64_t last) { run(kernel, first, last); });
    if (full < n) run(scalar::dequantize_4bit, full, n);
}

}  // namespace halfbyte::cpu
