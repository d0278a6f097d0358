// Shadows native/cuda/device/ptx/tma.cuh. Stores are done whole when their group is waited for, whichever of the two waits it is.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

inline void bulk_load(void* to, const void* from, uint32_t bytes, uint64_t* barrier, HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::bulk_load(to, from, bytes, barrier, where);
}
inline void bulk_load(void* to, const void* from, uint32_t bytes, uint64_t* barrier, uint64_t, HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::bulk_load(to, from, bytes, barrier, where);
}
inline void bulk_store(void* to, const void* from, uint32_t bytes, HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::bulk_store(to, from, bytes, where);
}

inline void tensor_prefetch(const CUtensorMap*, HALFBYTE_HERE) { emulation::require(90, where); }
inline void tensor_load(void* to, const CUtensorMap* map, int32_t x, int32_t y, uint64_t* barrier, HALFBYTE_HERE) {
    emulation::require(90, where);
    const int32_t coordinates[2] = {x, y};
    emulation::tensor_load(to, map, coordinates, 2, barrier, where);
}
inline void tensor_load(void* to, const CUtensorMap* map, int32_t x, int32_t y, uint64_t* barrier, uint64_t, HALFBYTE_HERE) {
    emulation::require(90, where);
    const int32_t coordinates[2] = {x, y};
    emulation::tensor_load(to, map, coordinates, 2, barrier, where);
}
inline void tensor_load_multicast(void* to, const CUtensorMap* map, int32_t x, int32_t y, uint64_t* barrier, uint16_t blocks,
                                  HALFBYTE_HERE) {
    emulation::require(90, where);
    const int32_t coordinates[2] = {x, y};
    emulation::tensor_load_multicast(to, map, coordinates, 2, barrier, blocks, where);
}
inline void tensor_store(const CUtensorMap* map, int32_t x, int32_t y, const void* from, HALFBYTE_HERE) {
    emulation::require(90, where);
    const int32_t coordinates[2] = {x, y};
    emulation::tensor_store(map, coordinates, 2, from, where);
}

inline void bulk_commit(HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::bulk_commit();
}
template <int Groups>
inline void bulk_wait_read(HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::bulk_wait(Groups);
}
template <int Groups>
inline void bulk_wait(HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::bulk_wait(Groups);
}

}  // namespace halfbyte::cuda::ptx
