// HALFBYTE_SINCE(80, { ... }): the statement on sm_80 and later. Before, reaching it is an error of the host code that chose the
// kernel, and traps. HALFBYTE_SM90A(...): on sm_90a alone, which is not "90 and later": later architectures do not have these
// instructions.
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

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define HALFBYTE_SM90A(...) __VA_ARGS__
#elif defined(__CUDA_ARCH__)
#define HALFBYTE_SM90A(...) __trap()
#else
#define HALFBYTE_SM90A(...)
#endif
