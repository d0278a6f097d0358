// Shadows native/cuda/device/ptx/bits.cuh.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace halfbyte::cuda::ptx {

inline uint32_t prmt(uint32_t a, uint32_t b, uint32_t selector) {
    emulation::count_permute();
    const uint64_t bytes = a | uint64_t{b} << 32;
    uint32_t result = 0;
    for (int i = 0; i < 4; ++i) {
        const uint32_t choice = selector >> (4 * i) & 15;
        uint32_t byte = bytes >> (8 * (choice & 7)) & 0xff;
        if (choice & 8) byte = byte & 0x80 ? 0xff : 0;
        result |= byte << (8 * i);
    }
    return result;
}

template <uint8_t Table>
inline uint32_t lop3(uint32_t a, uint32_t b, uint32_t c) {
    emulation::count_logic();
    uint32_t result = 0;
    for (int minterm = 0; minterm < 8; ++minterm)
        if (Table >> minterm & 1) result |= (minterm & 4 ? a : ~a) & (minterm & 2 ? b : ~b) & (minterm & 1 ? c : ~c);
    return result;
}

inline uint32_t opaque(uint32_t value) { return value; }
inline uint32_t opaque_here(uint32_t value) { return value; }

inline int lane_id() { return static_cast<int>(threadIdx.x) % 32; }

}  // namespace halfbyte::cuda::ptx
