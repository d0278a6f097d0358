// The quantizers as halfbyte.h defines them, one element after the other.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/codebooks.h"
#include "core/formats.h"
#include "tests/elements.h"

namespace test {

inline std::vector<float> floats(const uint8_t* bytes, int64_t n, halfbyte::DType dtype) {
    std::vector<float> values;
    for (int64_t i = 0; i < n; ++i) {
        uint32_t bits = 0;
        std::memcpy(&bits, bytes + i * halfbyte::size_of(dtype), static_cast<size_t>(halfbyte::size_of(dtype)));
        values.push_back(dtype == halfbyte::DType::kFloat32   ? std::bit_cast<float>(bits)
                         : dtype == halfbyte::DType::kFloat16 ? halfbyte::float16_to_float(static_cast<uint16_t>(bits))
                                                              : halfbyte::bfloat16_to_float(static_cast<uint16_t>(bits)));
    }
    return values;
}

// Calls encode(i, t) for every element i, and gives the statistics.
template <class Encode>
std::vector<float> for_each_in_blocks(const std::vector<float>& x, int64_t blocksize, const Encode& encode) {
    std::vector<float> statistics;
    for (size_t first = 0; first < x.size(); first += static_cast<size_t>(blocksize)) {
        const size_t last = std::min(first + static_cast<size_t>(blocksize), x.size());
        float absmax = 0;
        for (size_t i = first; i < last; ++i)
            if (std::fabs(x[i]) > absmax) absmax = std::fabs(x[i]);
        statistics.push_back(absmax);
        const float inverse = 1.0f / absmax;
        for (size_t i = first; i < last; ++i) encode(i, x[i] * inverse);
    }
    return statistics;
}

struct Quantized {
    std::vector<uint8_t> codes;
    std::vector<float> absmax;
};

inline Quantized quantize_4bit(const std::vector<float>& x, int64_t blocksize, halfbyte::QuantType quant_type,
                               const float* codebook) {
    const auto encode = [&](float t) {
        unsigned code = 0;
        if (quant_type == halfbyte::QuantType::kFp4) {
            for (size_t i = 0; i < 7 && code == 0; ++i)
                if (std::fabs(t) > halfbyte::kFp4Thresholds[i]) code = halfbyte::kFp4Magnitudes[i];
            return code + 8 * (t < 0);
        }
        halfbyte::Codebook16 table;
        std::copy_n(codebook, table.size(), table.begin());
        for (const float threshold : halfbyte::midpoints(table)) code += t > threshold;
        return code;
    };
    Quantized result{std::vector<uint8_t>((x.size() + 1) / 2), {}};
    const auto put = [&](size_t i, float t) { result.codes[i / 2] |= static_cast<uint8_t>(encode(t) << (i % 2 == 0 ? 4 : 0)); };
    result.absmax = for_each_in_blocks(x, blocksize, put);
    if (x.size() % 2 != 0) put(x.size(), 0.0f);
    return result;
}

inline Quantized quantize_blockwise(const std::vector<float>& x, int64_t blocksize, const float* codebook) {
    const std::array<float, 255> m = halfbyte::midpoints(codebook);
    Quantized result{std::vector<uint8_t>(x.size()), {}};
    result.absmax = for_each_in_blocks(x, blocksize, [&](size_t i, float t) {
        int code = 0;
        for (size_t j = 0; j < m.size(); ++j) code += t > m[j] || (t == m[j] && j % 2 != 0);
        result.codes[i] = static_cast<uint8_t>(code);
    });
    return result;
}

}  // namespace test
