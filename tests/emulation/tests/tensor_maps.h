// Tensor maps for the tests of kernels that copy by TMA.
#pragma once

#include <cuda_runtime.h>

#include "cuda/tensor_map.h"
#include "tests/harness.h"

namespace test {

// A map over a row-major [height, width] matrix of 16-bit elements, boxes of 64 x `box_rows`.
inline CUtensorMap map_of(const void* data, int64_t width, int64_t height, CUtensorMapSwizzle swizzle, uint32_t box_rows = 64) {
    CUtensorMap map{};
    EXPECT_SUCCESS(halfbyte::cuda::make_tensor_map(&map, {.data = data,
                                                          .dtype = halfbyte::DType::kBFloat16,
                                                          .rows = height,
                                                          .columns = width,
                                                          .ld = width,
                                                          .box_rows = box_rows,
                                                          .box_columns = 64,
                                                          .swizzle = swizzle}));
    return map;
}

}  // namespace test
