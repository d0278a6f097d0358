// What the choice of a kernel asks of the device that is current: its compute capability, as in 80.
#pragma once

#include <cuda_runtime_api.h>

namespace halfbyte::cuda {

inline cudaError_t architecture_of_device(int* architecture) {
    int device = 0, major = 0, minor = 0;
    cudaError_t status = cudaGetDevice(&device);
    if (status == cudaSuccess) status = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    if (status == cudaSuccess) status = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
    *architecture = 10 * major + minor;
    return status;
}

}  // namespace halfbyte::cuda
