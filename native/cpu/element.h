// Reading and writing one element of a tensor whose type is known at run time.
//
// For files compiled for the base processor. A file of an AVX path must not include this: an inline function compiled there may be
// the copy the linker keeps for everyone, and would then fail on an older processor.
#pragma once

#include "core/float16.h"
#include "core/operations.h"

namespace halfbyte::cpu {

template <DType>
struct Element;

template <>
struct Element<DType::kFloat32> {
    using Type = float;
    static float load(Type stored) { return stored; }
    static Type store(float value) { return value; }
};

template <>
struct Element<DType::kFloat16> {
    using Type = uint16_t;
    static float load(Type stored) { return float16_to_float(stored); }
    static Type store(float value) { return float_to_float16(value); }
};

template <>
struct Element<DType::kBFloat16> {
    using Type = uint16_t;
    static float load(Type stored) { return bfloat16_to_float(stored); }
    static Type store(float value) { return float_to_bfloat16(value); }
};

// Calls body(Element<dtype>{}).
template <class Body>
void with_element(DType dtype, const Body& body) {
    if (dtype == DType::kFloat32) body(Element<DType::kFloat32>{});
    else if (dtype == DType::kFloat16) body(Element<DType::kFloat16>{});
    else body(Element<DType::kBFloat16>{});
}

}  // namespace halfbyte::cpu
