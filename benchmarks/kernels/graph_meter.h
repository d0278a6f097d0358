// Measures with CUDA events around replays of CUDA graphs.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>

#include "measure.h"

namespace halfbyte::benchmark {

std::unique_ptr<Meter> graph_meter(cudaStream_t stream);

}  // namespace halfbyte::benchmark
