// 4-bit quantization: the reference, and the entry that cuts a tensor into parts.
//
//   absmax = max |x| of a block,  t = float(x) * (1.0f / absmax),  code = what t's interval is called (halfbyte.h section 6)
//
// Element 2j is the high nibble of byte j. Reads 2 or 4 bytes per element, writes 0.5 and 4 / blocksize.
#include "quantize_4bit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/codebooks.h"
#include "core/formats.h"
#include "element.h"
#include "operations.h"

namespace halfbyte::cpu {
namespace scalar {
namespace {

struct Fp4Encoder {
    unsigned operator()(float t) const {
        const unsigned sign = t < 0 ? 8 : 0;
        for (size_t i = 0; i < kFp4Thresholds.size(); ++i)
            if (std::fabs(t) > kFp4Thresholds[i]) return sign + kFp4Magnitudes[i];
        return sign;
    }
};

struct MidpointEncoder {
    std::array<float, 15> thresholds;

    unsigned operator()(float t) const {
        unsigned code = 0;
        for (float threshold : thresholds) code += t > threshold;
        return code;
    }
};

template <class Element, class Encoder>
void quantize(const Quantize4Bit& part, Element, const Encoder& encode) {
    const auto* input = static_cast<const typename Element::Type*>(part.input);
    for (int64_t b = 0; b < ceil_div(part.n, part.blocksize); ++b) {
        const int64_t first = b * part.blocksize;
        const int64_t last = std::min(first + part.blocksize, part.n);
        float absmax = 0;
        for (int64_t i = first; i < last; ++i) {
            const float magnitude = std::fabs(Element::load(input[i]));
            if (magnitude > absmax) absmax = magnitude;  // false for NaN
        }
        part.absmax[b] = absmax;

        const float inverse = 1.0f / absmax;
        for (int64_t i = first; i < last; i += 2) {
            const unsigned high = encode(Element::load(input[i]) * inverse);
            const unsigned low = encode(i + 1 < last ? Element::load(input[i + 1]) * inverse : 0.0f);
            part.packed[i / 2] = static_cast<uint8_t>(high << 4 | low);
        }
    }
}

}  // namespace

void quantize_4bit(const Quantize4Bit& part) {
    with_element(part.dtype, [&](auto element) {
        if (part.quant_type == QuantType::kFp4) {
            quantize(part, element, Fp4Encoder{});
        } else {
            Codebook16 table;
            std::copy_n(part.codebook, table.size(), table.begin());
            quantize(part, element, MidpointEncoder{midpoints(table)});
        }
    });
}

}  // namespace scalar

Encoding4Bit encoding_of(const Quantize4Bit& op) {
    Encoding4Bit encoding{};
    encoding.signed_magnitude = op.quant_type == QuantType::kFp4;
    if (encoding.signed_magnitude) {
        std::ranges::fill(encoding.thresholds, std::numeric_limits<float>::infinity());
        std::ranges::reverse_copy(kFp4Thresholds, encoding.thresholds);
        std::ranges::reverse_copy(kFp4Magnitudes, encoding.magnitudes + 1);
    } else {
        Codebook16 table;
        std::copy_n(op.codebook, table.size(), table.begin());
        std::ranges::copy(midpoints(table), encoding.thresholds);
    }
    return encoding;
}

namespace {

using Kernel = void (*)(const Quantize4Bit& part);

Kernel kernel_of(Path path) {
#if defined(__x86_64__)
    if (path >= Path::kAvx512) return avx512::quantize_4bit;
    if (path == Path::kAvx2) return avx2::quantize_4bit;
#else
    (void)path;
#endif
    return scalar::quantize_4bit;
}

// Elements per unit of work: enough that starting a thread pays.
constexpr int64_t kGrain = 32768;

}  // namespace

void quantize_4bit(Stream& stream, const Quantize4Bit& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const Kernel kernel = kernel_of(cpu.path);
    const auto run = [&](Kernel chosen, int64_t first, int64_t last) {
        Quantize4Bit part = op;
        part.input = static_cast<const std::byte*>(op.input) + first * size_of(op.dtype);
        part.n = last - first;
        part.packed = op.packed + first / 2;
        part.absmax = op.absmax + first / op.blocksize;
        chosen(part);
    };
    // A grain is a multiple of every block size, so parts start at blocks and at whole bytes.
    const int64_t full = op.n - op.n % op.blocksize;
    cpu.parallel_for(full, kGrain, [&](int64_t first, int64_t last) { run(kernel, first, last); });
    if (full < op.n) run(scalar::quantize_4bit, full, op.n);
}

}  // namespace halfbyte::cpu
