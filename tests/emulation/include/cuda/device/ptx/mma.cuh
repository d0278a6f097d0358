// Shadows native/cuda/device/ptx/mma.cuh.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

template <int Matrices>
inline void load_matrix(uint32_t (&registers)[Matrices], const void* row, HALFBYTE_HERE) {
    static_assert(Matrices == 1 || Matrices == 2 || Matrices == 4);
    emulation::load_matrix(registers, Matrices, false, row, where);
}
template <int Matrices>
inline void load_matrix_transposed(uint32_t (&registers)[Matrices], const void* row, HALFBYTE_HERE) {
    static_assert(Matrices == 1 || Matrices == 2 || Matrices == 4);
    emulation::load_matrix(registers, Matrices, true, row, where);
}
template <int Matrices>
inline void store_matrix(void* row, const uint32_t (&registers)[Matrices], HALFBYTE_HERE) {
    static_assert(Matrices == 1 || Matrices == 2 || Matrices == 4);
    emulation::require(90, where);
    emulation::store_matrix(registers, Matrices, false, row, where);
}
template <int Matrices>
inline void store_matrix_transposed(void* row, const uint32_t (&registers)[Matrices], HALFBYTE_HERE) {
    static_assert(Matrices == 1 || Matrices == 2 || Matrices == 4);
    emulation::require(90, where);
    emulation::store_matrix(registers, Matrices, true, row, where);
}

inline void mma_m16n8k16_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], HALFBYTE_HERE) {
    emulation::require(80, where);
    emulation::mma(emulation::Mma::kM16N8K16Float16, d, a, b, where);
}
inline void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], HALFBYTE_HERE) {
    emulation::require(80, where);
    emulation::mma(emulation::Mma::kM16N8K16BFloat16, d, a, b, where);
}
inline void mma_m16n8k8_f16(float (&d)[4], const uint32_t (&a)[2], const uint32_t (&b)[1], HALFBYTE_HERE) {
    emulation::mma(emulation::Mma::kM16N8K8Float16, d, a, b, where);
}
inline void mma_m16n8k32_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], HALFBYTE_HERE) {
    emulation::require(80, where);
    emulation::mma(emulation::Mma::kM16N8K32Int8, d, a, b, where);
}
inline void mma_m8n8k16_s8(int32_t (&d)[2], const uint32_t (&a)[1], const uint32_t (&b)[1], HALFBYTE_HERE) {
    emulation::mma(emulation::Mma::kM8N8K16Int8, d, a, b, where);
}

}  // namespace halfbyte::cuda::ptx
