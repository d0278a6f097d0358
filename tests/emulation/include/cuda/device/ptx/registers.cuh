// Shadows native/cuda/device/ptx/registers.cuh. How many registers a thread has is not modelled; who asks is.
#pragma once

#include <cuda_runtime.h>

namespace halfbyte::cuda::ptx {

template <int Registers>
inline constexpr bool kIsRegisterCount = Registers % 8 == 0 && Registers >= 24 && Registers <= 256;

template <int Registers>
inline void registers_increase(HALFBYTE_HERE) {
    static_assert(kIsRegisterCount<Registers>);
    emulation::require_sm_90a(where);
    emulation::set_registers(Registers, where);
}
template <int Registers>
inline void registers_decrease(HALFBYTE_HERE) {
    static_assert(kIsRegisterCount<Registers>);
    emulation::require_sm_90a(where);
    emulation::set_registers(-Registers, where);
}

}  // namespace halfbyte::cuda::ptx
