// Shadows native/cuda/device/ptx/cluster.cuh.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

inline uint32_t cluster_rank(HALFBYTE_HERE) {
    emulation::require(90, where);
    return emulation::cluster_rank();
}
inline uint32_t cluster_size(HALFBYTE_HERE) {
    emulation::require(90, where);
    return emulation::cluster_size();
}

inline void cluster_arrive(HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::cluster_arrive(where);
}
inline void cluster_arrive_relaxed(HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::cluster_arrive_relaxed(where);
}
inline void cluster_wait(HALFBYTE_HERE) {
    emulation::require(90, where);
    emulation::cluster_wait(where);
}

inline uint32_t cluster_address(const void* shared, uint32_t rank, HALFBYTE_HERE) {
    return emulation::cluster_address(shared, rank, where);
}

template <class T>
inline T load_cluster(uint32_t address, HALFBYTE_HERE) {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, uint32_t> || std::is_same_v<T, float4>);
    T v;
    emulation::cluster_load(&v, address, sizeof v, where);
    return v;
}
inline void store_cluster(uint32_t address, float v, HALFBYTE_HERE) { emulation::cluster_store(address, &v, sizeof v, where); }
inline void store_cluster(uint32_t address, uint32_t v, HALFBYTE_HERE) { emulation::cluster_store(address, &v, sizeof v, where); }
inline void store_cluster(uint32_t address, float4 v, HALFBYTE_HERE) { emulation::cluster_store(address, &v, sizeof v, where); }

inline void mbarrier_arrive_cluster(uint32_t address, HALFBYTE_HERE) { emulation::mbarrier_arrive_cluster(address, where); }
inline void mbarrier_arrive_cluster_as_reader(uint32_t address, HALFBYTE_HERE) {
    emulation::mbarrier_arrive_cluster(address, where);
}
inline bool mbarrier_try_wait_cluster(uint64_t* barrier, uint32_t parity, HALFBYTE_HERE) {
    emulation::mbarrier_wait(barrier, parity, where);
    return true;
}
inline void mbarrier_wait_cluster(uint64_t* barrier, uint32_t parity, HALFBYTE_HERE) {
    emulation::mbarrier_wait(barrier, parity, where);
}

}  // namespace halfbyte::cuda::ptx
