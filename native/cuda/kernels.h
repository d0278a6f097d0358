// The launchers of the CUDA backend, one per operation, in files of the operation's name. Each enqueues on `stream` and returns
// the status of the launch; none allocates or waits.
#pragma once

#include <cuda_runtime_api.h>

#include "core/operations.h"

namespace halfbyte::cuda {

cudaError_t dequantize_4bit(const Dequantize4Bit& op, cudaStream_t stream);

}  // namespace halfbyte::cuda
