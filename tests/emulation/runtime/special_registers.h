// threadIdx and its kin, as the emulator sets them. Kernels see them as constants (include/cuda_runtime.h): for the fiber that
// looks they are, so the compiler may keep them in registers.
#pragma once

#include <vector_types.h>

extern thread_local constinit uint3 threadIdx;
extern thread_local constinit uint3 blockIdx;
extern thread_local constinit dim3 blockDim;
extern thread_local constinit dim3 gridDim;
