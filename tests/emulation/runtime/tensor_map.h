// Tensor maps: what cuTensorMapEncodeTiled writes into its 128 opaque bytes here, and what bulk tensor copies make of them.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace halfbyte::emulation {

struct TensorMap {
    static constexpr uint64_t kMagic = 0x70616d726f736e74;

    uint64_t magic;
    char* base;
    uint64_t sizes[5];    // elements per dimension, the contiguous one first
    uint64_t strides[4];  // bytes, of dimensions 1 and up
    uint16_t box[5];      // elements per dimension of one copy
    uint8_t rank, element_bytes;
    uint8_t swizzle_bits;  // 0, 1, 2, 3: none, 32, 64, 128 bytes
};
static_assert(sizeof(TensorMap) <= sizeof(CUtensorMap));

// Swizzles permute the 16-byte pieces of 128-byte lines: bits 4 and up of the shared address are xored with bits 7 and up. The
// pattern repeats every 256, 512 or 1024 bytes, to which tiles must be aligned.
constexpr uint32_t swizzled(uint32_t address, unsigned bits) { return address ^ (((address >> 7) & ((1u << bits) - 1)) << 4); }

extern "C" CUresult encode_tensor_map(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                      const cuuint64_t* sizes, const cuuint64_t* strides, const cuuint32_t* box,
                                      const cuuint32_t* element_strides, CUtensorMapInterleave interleave,
                                      CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill);

}  // namespace halfbyte::emulation
