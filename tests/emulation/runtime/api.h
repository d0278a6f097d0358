// What the files of the CUDA runtime's functions share.
#pragma once

#include <cuda_runtime_api.h>

namespace halfbyte::emulation {

// What HALFBYTE_EMULATION_ARCHITECTURE says: 75, 80, 86, 89 or 90, so that code that chooses by architecture can be tested.
int architecture();

// The runtime's functions make a context current on the calling thread where they need one; the driver's demand that there is one.
void use_context();
bool has_context();

// Remembers an error for cudaGetLastError, and passes it on.
cudaError_t status(cudaError_t error);

}  // namespace halfbyte::emulation
