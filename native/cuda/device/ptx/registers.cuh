// Registers handed from one warpgroup to another. Hopper's own (sm_90a).
//
// A kernel of n threads is launched with 65536 / n registers for each at most (__launch_bounds__ fixes how many). Producers that
// need few give theirs back, consumers then take them: the increase waits until the block has as many free. All four warps of a
// warpgroup execute the same one.
#pragma once

#include <cuda_runtime.h>

#include "cuda/device/ptx/since.cuh"

namespace halfbyte::cuda::ptx {

template <int Registers>
inline constexpr bool kIsRegisterCount = Registers % 8 == 0 && Registers >= 24 && Registers <= 256;

// This thread has `Registers` from here on; those it gains hold nothing.
template <int Registers>
__device__ __forceinline__ void registers_increase() {
    static_assert(kIsRegisterCount<Registers>);
    HALFBYTE_SM90A(asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers)));
}

template <int Registers>
__device__ __forceinline__ void registers_decrease() {
    static_assert(kIsRegisterCount<Registers>);
    HALFBYTE_SM90A(asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers)));
}

}  // namespace halfbyte::cuda::ptx
