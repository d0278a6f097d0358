// HALFBYTE_SINCE(80, { ... }): the statement on sm_80 and later. Before, reaching it is an error of the host code that chose the
// kernel, and traps. since(80): whether this is compiled for sm_80 or later, for kernels that have another way.
#pragma once

#include <cuda_runtime.h>

#if defined(__CUDA_ARCH__)
#define HALFBYTE_SINCE(architecture, ...)                   \
    do {                                                    \
        if constexpr (__CUDA_ARCH__ >= (architecture)*10) { \
            __VA_ARGS__                                     \
        } else {                                            \
            __trap();                                       \
        }                                                   \
    } while (false)
#else
#define HALFBYTE_SINCE(architecture, ...) \
    do {                                  \
    } while (false)
#endif

namespace halfbyte::cuda::ptx {

__device__ constexpr bool since([[maybe_unused]] int architecture) {
#if defined(__CUDA_ARCH__)
    return __CUDA_ARCH__ >= architecture * 10;
#else
    return true;
#endif
}

}  // namespace halfbyte::cuda::ptx
