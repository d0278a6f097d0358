// Random numbers in the device's memory.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace halfbyte::benchmark {

// Which type the numbers are written in.
enum class Element { kFloat32, kFloat16, kBFloat16 };

// Normally distributed numbers with the given deviation; the same seed gives the same numbers in every type. In a matrix with rows
// of `row` elements every `outlier_stride`-th column is ten times as large (0: none), as a few columns of a language model's
// activations are.
cudaError_t fill_normal(void* output, Element element, int64_t n, uint64_t seed, float deviation, int64_t row,
                        int64_t outlier_stride, cudaStream_t stream);

}  // namespace halfbyte::benchmark
