// Blockwise 8-bit quantization: the reference, and the entry that cuts a tensor into parts.
//
//   absmax = max |x| of a block,  t = float(x) * (1.0f / absmax),  code = the nearest value of the codebook, a tie to the even code
//
// Reads 2 or 4 bytes per element, writes 1 and 4 / blocksize.
#include "quantize_blockwise.h"

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

// The number of i with t > m[i], or t == m[i] and i odd. The midpoints do not decrease: those below t come first, then those equal
// to t (more than one where the codebook repeats a value), then the rest.
uint8_t encode(const std::array<float, 255>& m, float t) {
    if (std::isnan(t)) return 0;
    size_t below = 0;
    for (size_t step = 128; step > 0; step /= 2) below += step * (m[below + step - 1] < t);
    size_t code = below;
    for (size_t i = below; i < m.size() && m[i] == t; ++i) code += i % 2;
    return static_cast<uint8_t>(code);
}

}  // namespace

void quantize_blockwise(const QuantizeBlockwise& part) {
    const std::array<float, 255> m = midpoints(part.codebook);
    with_element(part.dtype, [&](auto element) {
        using Element = decltype(element);
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
            for (int64_t i = first; i < last; ++i) part.codes[i] = encode(m, Element::load(input[i]) * inverse);
        }
    });
}

}  // namespace scalar

BlockwiseQuantizer::BlockwiseQuantizer(Path path, const float* codebook) : codebook_(codebook), kernel_(nullptr) {
#if defined(__x86_64__)
    if (path >= Path::kAvx512) kernel_ = avx512::quantize_blockwise;
    else if (path == Path::kAvx2) kernel_ = avx2::quantize_blockwise;
#else
    (void)path;
#endif
    const std::array<float, 255> m = midpoints(codebook);
    for (size_t i = 0; i < m.size(); ++i) {
        // Two values near the largest float have no finite midpoint; no float is before an infinite one.
        if (!std::isfinite(m[i])) kernel_ = nullptr;
        thresholds_.values[i] = i % 2 == 0 ? m[i] : std::nextafter(m[i], -std::numeric_limits<float>::infinity());
    }
    std::ranges::sort(thresholds_.values);  // where a value repeats, an odd threshold has passed the even one before it
}

void BlockwiseQuantizer::operator()(QuantizeBlockwise part) const {
    part.codebook = codebook_;
    const int64_t full = kernel_ == nullptr ? 0 : part.n - part.n % std::max(part.blocksize, kBlockwiseUnit);
    QuantizeBlockwise rest = part;
    part.n = full;
    if (full > 0) kernel_(part, thresholds_);
    rest.input = static_cast<const std::byte*>(part.input) + full * size_of(part.dtype);
    rest.n -= full;
    rest.codes += full;
    rest.absmax += full / part.blocksize;
    if (rest.n > 0) scalar::quantize_blockwise(rest);
}

void quantize_blockwise(Stream& stream, const QuantizeBlockwise& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const BlockwiseQuantizer quantize(cpu.path, op.codebook != nullptr ? op.codebook : dynamic_signed().data());
    // Enough elements that starting a thread pays, and a multiple of every block size, so that parts start at blocks.
    constexpr int64_t kGrain = 32768;
    cpu.parallel_for(op.n, kGrain, [&](int64_t first, int64_t last) {
        QuantizeBlockwise part = op;
        part.input = static_cast<const std::byte*>(op.input) + first * size_of(op.dtype);
        part.n = last - first;
        part.codes = op.codes + first;
        part.absmax = op.absmax + first / op.blocksize;
        quantize(part);
    });
}

}  // namespace halfbyte::cpu
