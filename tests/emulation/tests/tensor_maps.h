// Tensor maps for the tests of kernels that copy by TMA.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include "tests/harness.h"

namespace test {

// A map over a row-major [height, width] matrix of 16-bit elements, boxes of 64 x `box_rows`, as host code makes it: through the
// driver's function.
inline CUtensorMap map_of(const void* data, uint64_t width, uint64_t height, CUtensorMapSwizzle swizzle, cuuint32_t box_rows = 64) {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult result{};
    EXPECT_SUCCESS(cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &function, cudaEnableDefault, &result));
    const cuuint64_t sizes[2] = {width, height}, strides[1] = {width * 2};
    const cuuint32_t box[2] = {64, box_rows}, element_strides[2] = {1, 1};
    CUtensorMap map{};
    const auto encode = reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
    EXPECT(encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<void*>(data), sizes, strides, box, element_strides,
                  CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE,
                  CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS);
    return map;
}

}  // namespace test
