// Which instance of a dequantization kernel writes an output.
//
// In an anonymous namespace: every path compiles its own copy with its own instructions.
#pragma once

#include <cstdint>

#include "core/operations.h"

namespace halfbyte::cpu {
namespace {

// Calls kernel.operator()<dtype, streaming>(). Streaming stores, of `store_size` bytes, need an aligned output.
template <uintptr_t store_size, class Kernel>
inline void for_output(const void* output, DType dtype, bool streaming, const Kernel& kernel) {
    const auto with = [&]<DType type>() {
        if (streaming && reinterpret_cast<uintptr_t>(output) % store_size == 0) kernel.template operator()<type, true>();
        else kernel.template operator()<type, false>();
    };
    if (dtype == DType::kFloat32) with.template operator()<DType::kFloat32>();
    else if (dtype == DType::kFloat16) with.template operator()<DType::kFloat16>();
    else with.template operator()<DType::kBFloat16>();
}

}  // namespace
}  // namespace halfbyte::cpu
