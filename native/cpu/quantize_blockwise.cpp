// Blockwise 8-bit quantization: the reference, and the entry that cuts a tensor into parts.
//
//   absmax = max |x| of a block,  t = float(x) * (1.0f / absmax),  code = the nearest value of the codebook, a tie to the even code
//
// Reads 2 or 4 bytes per element, writes 1 and 4 / blocksize.
#include "quantize_blockwise.h"

#include <algorithm>
#include <cmath>

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
    size_t i = static_cast<size_t>(std::lower_bound(m.begin(), m.end(), t) - m.begin());
    size_t code = i;
    for (; i < m.size() && m[i] == t; ++i) code += i % 2;
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

namespace {

// Elements per unit of work: enough that starting a thread pays.
constexpr int64_t kGrain = 32768;

}  // namespace

QuantizeBlockwiseKernel quantize_blockwise_kernel(Path) { return scalar::quantize_blockwise; }

void quantize_blockwise(Stream& stream, const QuantizeBlockwise& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const QuantizeBlockwiseKernel kernel = quantize_blockwise_kernel(cpu.path);
    // A grain is a multiple of every block size, so parts start at blocks.
    cpu.parallel_for(op.n, kGrain, [&](int64_t first, int64_t last) {
        QuantizeBlockwise part = op;
        part.input = static_cast<const std::byte*>(op.input) + first * size_of(op.dtype);
        part.n = last - first;
        part.codebook = op.codebook != nullptr ? op.codebook : dynamic_signed().data();
        part.codes = op.codes + first;
        part.absmax = op.absmax + first / op.blocksize;
        kernel(part);
    });
}

}  // namespace halfbyte::cpu
