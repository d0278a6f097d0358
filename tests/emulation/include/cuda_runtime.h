// Shadows CUDA's <cuda_runtime.h>: the toolkit's own header first, for types and the host API, then what nvcc would have added:
// the names of the execution model and the device functions that kernels here use. A name that is missing is an error of
// compilation; add it.
#pragma once

// The toolkit's template hands an untyped function to the driver; the one below can call it.
#define cudaLaunchKernelEx cudaLaunchKernelEx_of_the_toolkit
#include_next <cuda_runtime.h>
#undef cudaLaunchKernelEx

#include <cmath>
#include <tuple>
#include <utility>

#include "emulation/atomics.h"
#include "emulation/intrinsics.h"
#include "emulation/synchronization.h"

#define __launch_bounds__(...)

// Shared memory has one door, device/smem.cuh, so that every byte of it is checked.
#undef __shared__
#define __shared__ static_assert(false, "ask for shared memory through cuda/device/smem.cuh");

// Constants for the thread that looks; the emulator sets them when it switches threads (runtime/special_registers.h).
extern thread_local constinit const uint3 threadIdx;
extern thread_local constinit const uint3 blockIdx;
extern thread_local constinit const dim3 blockDim;
extern thread_local constinit const dim3 gridDim;
constexpr int warpSize = 32;

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...), Arguments&&... arguments) {
    struct Call {
        void (*kernel)(Parameters...);
        std::tuple<Parameters...> arguments;
    } call{kernel, {std::forward<Arguments>(arguments)...}};
    const auto invoke = [](void* self) { std::apply(static_cast<Call*>(self)->kernel, static_cast<Call*>(self)->arguments); };
    return halfbyte::emulation::launch_kernel(*config, reinterpret_cast<const void*>(kernel), invoke, &call, sizeof call);
}

// The forms for kernels, which the toolkit declares for nvcc alone.
template <class T>
cudaError_t cudaFuncSetAttribute(T* kernel, cudaFuncAttribute attribute, int value) {
    return ::cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}
template <class T>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, T* kernel, int threads, size_t shared) {
    return ::cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, reinterpret_cast<const void*>(kernel), threads, shared);
}
