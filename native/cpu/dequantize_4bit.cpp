// 4-bit dequantization: the reference, any part of a tensor, and the entry that cuts a whole one into parts.
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
        for (int64_t i = part.first; i < part.last;) {
            const int64_t block = i / weight.blocksize, end = std::min((block + 1) * weight.blocksize, part.last);
            const float absmax = absmax_of(weight, block);
            for (; i < end; ++i) {
                const unsigned code = i % 2 == 0 ? packed[i / 2] >> 4 : packed[i / 2] & 15;
                *output++ = Element::store(part.codebook[code] * absmax);
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

}  // namespace

const float* codebook_of(const halfbyte_weight_4bit& weight) {
    if (weight.codebook != nullptr) return static_cast<const float*>(weight.codebook);
    return weight.quant_type == HALFBYTE_QUANT_TYPE_FP4 ? kFp4.data() : kNf4.data();
}

void dequantize_4bit(Path path, const Dequantize4BitPart& part) {
    constexpr int64_t kRun = kDequantize4BitRun;
    const int64_t begin = std::min(ceil_div(part.first, kRun) * kRun, part.last);
    const int64_t end = std::max(part.last / kRun * kRun, begin);
    const auto run = [&](Kernel kernel, int64_t first, int64_t last) {
        if (first == last) return;
        Dequantize4BitPart piece = part;
        piece.output = static_cast<char*>(part.output) + (first - part.first) * size_of(part.dtype);
        piece.first = first;
        piece.last = last;
        kernel(piece);
    };
    run(scalar::dequantize_4bit, part.first, begin);
    run(kernel_of(path), begin, end);
    run(scalar::dequantize_4bit, end, part.last);
}

void dequantize_4bit(Stream& stream, const Dequantize4Bit& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const int64_t n = op.weight.N * op.weight.K, size = size_of(op.dtype);
    cpu.parallel_for(n, kDequantize4BitGrain, [&](int64_t first, int64_t last) {
        dequantize_4bit(cpu.path, {.weight = &op.weight,
                                   .codebook = codebook_of(op.weight),
                                   .output = static_cast<char*>(op.output) + first * size,
                                   .dtype = op.dtype,
                                   .streaming = n * size >= kDequantize4BitStreaming,
                                   .first = first,
                                   .last = last});
    });
}

}  // namespace halfbyte::cpu
