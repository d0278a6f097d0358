// HALFBYTE_SINCE(80, { ... }): the statement on sm_80 and later. Before, reaching it is an error of the host code that chose the
// kernel, and traps.
#pragma once

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
