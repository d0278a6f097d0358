// Byte permutes, three-input logic and the number of a lane.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace halfbyte::cuda::ptx {

// Four bytes out of the eight of {b, a} (a has bytes 0-3), chosen by the four nibbles of `selector`, lowest first. Bit 3 of a
// nibble replicates the chosen byte's sign bit instead; __byte_perm spends an instruction on masking it away, this does not.
__device__ __forceinline__ uint32_t prmt(uint32_t a, uint32_t b, uint32_t selector) {
    uint32_t result;
    asm("prmt.b32 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(selector));
    return result;
}

// Any bitwise function of three words: `Table` is the function applied to 0xf0, 0xcc, 0xaa. (a & b) | c is (0xf0 & 0xcc) | 0xaa.
template <uint8_t Table>
__device__ __forceinline__ uint32_t lop3(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t result;
    asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(result) : "r"(a), "r"(b), "r"(c), "n"(Table));
    return result;
}

// The value, and no instruction: the compiler does not see where it is from. Addresses that it would step along with the value in
// additions of their own, two instructions each, are multiples of it then, which take one.
__device__ __forceinline__ uint32_t opaque(uint32_t value) {
    asm("" : "+r"(value));
    return value;
}

// The same, and not moved out of a loop: what follows from the value is computed in it, and not kept in registers meanwhile.
__device__ __forceinline__ uint32_t opaque_here(uint32_t value) {
    asm volatile("" : "+r"(value));
    return value;
}

// This thread's number in its warp, read where it is wanted: what follows from it is not kept in a register from further above.
__device__ __forceinline__ int lane_id() {
    int lane;
    asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
    return lane;
}

}  // namespace halfbyte::cuda::ptx
