// What the CUDA runtime reports, as halfbyte::Error.
#pragma once

#include <cuda_runtime_api.h>

#include "core/error.h"

namespace halfbyte::cuda {

// Throws if `status` is an error, and takes it from the runtime, so that no later call of anybody meets it again. (What has broken
// the device's context comes back from every call until the process ends; no library can help that.)
// `what`: the call that failed, for the sentence: "quantize_4bit failed on cuda:0: an illegal memory access was encountered".
void check(cudaError_t status, const char* what, int ordinal);

}  // namespace halfbyte::cuda
