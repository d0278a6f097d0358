// Elements of tensor-core operands, and their sums of products.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace halfbyte::emulation {

enum class Element : uint8_t { kFloat16, kBFloat16, kInt8 };

// All float16 values, by their bits: converting is the commonest thing the emulator does.
const std::array<float, 65536>& float16_values();

inline float value_of(Element element, uint32_t bits, unsigned index) {
    switch (element) {
        case Element::kFloat16:
            return float16_values()[(bits >> (16 * index)) & 0xffff];
        case Element::kBFloat16:
            return std::bit_cast<float>((bits >> (16 * index)) << 16);
        default:
            return static_cast<float>(static_cast<int8_t>(bits >> (8 * index)));
    }
}

// Element e of the accumulators `d` += the sum over k of a[k] * b[k]. Integers are exact (every partial sum fits a float's
// integers: 32 products of 2^14). For floats a GPU adds in an order and with roundings of its own; here products and sums are
// float64 and rounded once, which is at least as accurate. Tests compare within a bound or use values whose sums are exact.
inline void accumulate(void* d, size_t e, const float* a, const float* b, unsigned k, Element element) {
    double sum = 0;
    for (unsigned i = 0; i < k; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    char* at = static_cast<char*>(d) + 4 * e;
    if (element == Element::kInt8) {
        uint32_t old;  // wraps, as the instruction does without .satfinite
        std::memcpy(&old, at, 4);
        old += static_cast<uint32_t>(static_cast<int32_t>(sum));
        std::memcpy(at, &old, 4);
    } else {
        float old;
        std::memcpy(&old, at, 4);
        old = static_cast<float>(static_cast<double>(old) + sum);
        std::memcpy(at, &old, 4);
    }
}

// The part of A (row-major [rows, k]) and of B (by column, [8, k]) that a lane holds. See mma.cpp.
void unpack_a(float* a, unsigned k, unsigned rows, const uint32_t* registers, unsigned lane, Element element);
void unpack_b(float* b, unsigned k, const uint32_t* registers, unsigned lane, Element element);

}  // namespace halfbyte::emulation
