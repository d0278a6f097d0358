// What TMA is told of a matrix: where it lies, and the boxes in which it is copied. Hopper.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "core/operations.h"

namespace halfbyte::cuda {

// A row-major matrix as TMA sees it. Boxes are `box_rows` (at most 256) by `box_columns` elements; a row of a box is at most as
// many bytes as the swizzle has.
struct TensorView {
    const void* data;
    DType dtype;  // 16-bit
    int64_t rows, columns, ld;
    uint32_t box_rows, box_columns;
    CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B;
};

// Whether TMA can read it at all: 16-byte rows on 16-byte addresses, sizes of 32 bits.
inline bool has_tensor_map(const void* data, int64_t rows, int64_t columns, int64_t ld) {
    constexpr int64_t kMost = int64_t{1} << 31;
    constexpr int64_t kMostBytes = int64_t{1} << 40;  // from row to row, and not even that
    return reinterpret_cast<uintptr_t>(data) % 16 == 0 && ld * 2 % 16 == 0 && ld < kMostBytes / 2 && rows > 0 && rows < kMost &&
           columns > 0 && columns < kMost;
}

cudaError_t make_tensor_map(CUtensorMap* map, const TensorView& view);

}  // namespace halfbyte::cuda
