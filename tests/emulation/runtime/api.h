// What the files of the CUDA runtime's functions share.
#pragma once

#include <cuda_runtime_api.h>

namespace halfbyte::emulation {

// Remembers an error for cudaGetLastError, and passes it on.
cudaError_t status(cudaError_t error);

}  // namespace halfbyte::emulation
