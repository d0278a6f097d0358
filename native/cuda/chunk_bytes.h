// How much scratch a product that dequantizes its weight in chunks takes.
#pragma once

#include <cstdint>

namespace halfbyte::cuda {

// What the second-level cache of a large GPU keeps beside everything else. A test or a benchmark may change it, not while
// operations run.
inline int64_t& chunk_bytes() {
    static int64_t bytes = 24 << 20;
    return bytes;
}

}  // namespace halfbyte::cuda
