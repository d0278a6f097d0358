// What memory can do: a read of everything and nothing else, and a copy.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace halfbyte::benchmark {

// Reads `bytes` (a multiple of 16) at `data` and keeps nothing. `sink`: one word, hardly ever written.
cudaError_t read_stream(const void* data, int64_t bytes, uint32_t* sink, cudaStream_t stream);

// Copies with a kernel, which can be faster than the runtime's own copy and can be slower.
cudaError_t copy_stream(void* destination, const void* source, int64_t bytes, cudaStream_t stream);

}  // namespace halfbyte::benchmark
