// Shadows native/cuda/device/ptx/since.cuh. Which way a kernel goes is the emulated device's choice, at run time.
#pragma once

#include <cuda_runtime.h>

namespace halfbyte::cuda::ptx {

inline bool since(int architecture) { return emulation::since(architecture); }

}  // namespace halfbyte::cuda::ptx
