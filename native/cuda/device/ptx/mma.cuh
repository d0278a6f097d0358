// Tensor-core products of a warp, and the loads that feed them.
//
// Fragments, with g = lane / 4 and t = lane % 4; a register holds two 16-bit or four 8-bit elements, the lower index in the lower
// bits:
//   A, 16 rows, 16-bit   register r: row g + 8 * (r & 1), k = 2t + 8 * (r >> 1) + {0, 1}
//   A, 16 rows, 8-bit    register r: row g + 8 * (r & 1), k = 4t + 16 * (r >> 1) + {0, 1, 2, 3}
//   A,  8 rows, 8-bit    one register: row g, k = 4t + {0, 1, 2, 3}
//   B, 16-bit            register r: k = 2t + 8r + {0, 1}, column g
//   B, 8-bit             register r: k = 4t + 16r + {0, 1, 2, 3}, column g
//   D                    element e: row g + 8 * (e >> 1), column 2t + (e & 1)
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx/since.cuh"
#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

// ---- 8 x 8 matrices of 16-bit elements from shared memory ----------------------------------------------------------------------
// Lane 8m + r passes the address of row r of matrix m: 16 bytes, aligned to 16. Register m of a lane gets elements 2t and 2t + 1
// of row g of matrix m; transposed, of column g.

__device__ __forceinline__ void load_matrix(uint32_t (&registers)[1], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(registers[0]) : "r"(shared_address(row)) : "memory");
}

__device__ __forceinline__ void load_matrix(uint32_t (&registers)[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(registers[0]), "=r"(registers[1])
                 : "r"(shared_address(row))
                 : "memory");
}

__device__ __forceinline__ void load_matrix(uint32_t (&registers)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(shared_address(row))
                 : "memory");
}

__device__ __forceinline__ void load_matrix_transposed(uint32_t (&registers)[1], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(registers[0])
                 : "r"(shared_address(row))
                 : "memory");
}

__device__ __forceinline__ void load_matrix_transposed(uint32_t (&registers)[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(registers[0]), "=r"(registers[1])
                 : "r"(shared_address(row))
                 : "memory");
}

__device__ __forceinline__ void load_matrix_transposed(uint32_t (&registers)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// The reverse: register m of a lane goes to elements 2t and 2t + 1 of row g of matrix m; transposed, of column g. Since sm_90.

__device__ __forceinline__ void store_matrix(void* row, const uint32_t (&registers)[1]) {
    HALFBYTE_SINCE(90,
                   asm volatile("stmatrix.sync.aligned.m8n8.x1.shared.b16 [%0], {%1};" ::"r"(shared_address(row)), "r"(registers[0])
                                : "memory"););
}

__device__ __forceinline__ void store_matrix(void* row, const uint32_t (&registers)[2]) {
    HALFBYTE_SINCE(90, asm volatile("stmatrix.sync.aligned.m8n8.x2.shared.b16 [%0], {%1, %2};" ::"r"(shared_address(row)),
                                    "r"(registers[0]), "r"(registers[1])
                                    : "memory"););
}

__device__ __forceinline__ void store_matrix(void* row, const uint32_t (&registers)[4]) {
    HALFBYTE_SINCE(90, asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)),
                                    "r"(registers[0]), "r"(registers[1]), "r"(registers[2]), "r"(registers[3])
                                    : "memory"););
}

__device__ __forceinline__ void store_matrix_transposed(void* row, const uint32_t (&registers)[1]) {
    HALFBYTE_SINCE(
        90, asm volatile("stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%0], {%1};" ::"r"(shared_address(row)), "r"(registers[0])
                         : "memory"););
}

__device__ __forceinline__ void store_matrix_transposed(void* row, const uint32_t (&registers)[2]) {
    HALFBYTE_SINCE(90, asm volatile("stmatrix.sync.aligned.m8n8.x2.trans.shared.b16 [%0], {%1, %2};" ::"r"(shared_address(row)),
                                    "r"(registers[0]), "r"(registers[1])
                                    : "memory"););
}

__device__ __forceinline__ void store_matrix_transposed(void* row, const uint32_t (&registers)[4]) {
    HALFBYTE_SINCE(90,
                   asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)),
                                "r"(registers[0]), "r"(registers[1]), "r"(registers[2]), "r"(registers[3])
                                : "memory"););
}

// ---- d += a * b ----------------------------------------------------------------------------------------------------------------

// float16, 16 x 8 x 16. Since sm_80.
__device__ __forceinline__ void mma_m16n8k16_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    HALFBYTE_SINCE(
        80, asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1])););
}

// bfloat16, 16 x 8 x 16. Since sm_80.
__device__ __forceinline__ void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    HALFBYTE_SINCE(
        80,
        asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1])););
}

// float16, 16 x 8 x 8: what sm_75 has.
__device__ __forceinline__ void mma_m16n8k8_f16(float (&d)[4], const uint32_t (&a)[2], const uint32_t (&b)[1]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(b[0]));
}

// int8, 16 x 8 x 32; sums wrap. Since sm_80.
__device__ __forceinline__ void mma_m16n8k32_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    HALFBYTE_SINCE(
        80, asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1])););
}

// int8, 8 x 8 x 16: what sm_75 has.
__device__ __forceinline__ void mma_m8n8k16_s8(int32_t (&d)[2], const uint32_t (&a)[1], const uint32_t (&b)[1]) {
    asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};"
        : "+r"(d[0]), "+r"(d[1])
        : "r"(a[0]), "r"(b[0]));
}

}  // namespace halfbyte::cuda::ptx
