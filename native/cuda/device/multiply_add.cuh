// d += a * b on tensor cores, 16 x 8 x 16, for either 16-bit type. ptx/mma.cuh has the fragments.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx.cuh"

namespace halfbyte::cuda {

// Since sm_80.
__device__ __forceinline__ void multiply_add(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], __nv_bfloat16) {
    ptx::mma_m16n8k16_bf16(d, a, b);
}
// Before sm_80 in two steps of 8.
__device__ __forceinline__ void multiply_add(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], __half) {
    if (ptx::since(80)) {
        ptx::mma_m16n8k16_f16(d, a, b);
    } else {
        const uint32_t a0[2] = {a[0], a[1]}, a1[2] = {a[2], a[3]}, b0[1] = {b[0]}, b1[1] = {b[1]};
        ptx::mma_m16n8k8_f16(d, a0, b0);
        ptx::mma_m16n8k8_f16(d, a1, b1);
    }
}

}  // namespace halfbyte::cuda
