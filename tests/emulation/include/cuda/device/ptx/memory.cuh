// Shadows native/cuda/device/ptx/memory.cuh. Cache hints have no effect; a thread that polls lets others run.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace halfbyte::cuda::ptx {

inline uint4 load_streaming(const uint4* p, HALFBYTE_HERE) {
    emulation::read_only(p, sizeof *p, where);
    return *p;
}
inline uint2 load_streaming(const uint2* p, HALFBYTE_HERE) {
    emulation::read_only(p, sizeof *p, where);
    return *p;
}
inline uint32_t load_streaming(const uint32_t* p, HALFBYTE_HERE) {
    emulation::read_only(p, sizeof *p, where);
    return *p;
}

inline uint8_t load_coherent(const uint8_t* p) { return *p; }
inline uint32_t load_coherent(const uint32_t* p) { return *p; }
inline float load_coherent(const float* p) { return *p; }
inline uint2 load_coherent(const uint2* p) { return *p; }
inline uint4 load_coherent(const uint4* p) { return *p; }
inline uint2 load_coherent_streaming(const uint2* p) { return *p; }
template <int PrefetchBytes>
inline uint2 load_coherent_streaming(const uint2* p) {
    static_assert(PrefetchBytes == 128 || PrefetchBytes == 256);
    return *p;
}

inline uint64_t policy_evict_first(HALFBYTE_HERE) {
    emulation::require(80, where);
    return 1;
}
inline uint64_t policy_evict_last(HALFBYTE_HERE) {
    emulation::require(80, where);
    return 2;
}
inline uint4 load_streaming(const uint4* p, uint64_t, HALFBYTE_HERE) {
    emulation::require(80, where);
    emulation::read_only(p, sizeof *p, where);
    return *p;
}
inline uint2 load_streaming(const uint2* p, uint64_t, HALFBYTE_HERE) {
    emulation::require(80, where);
    emulation::read_only(p, sizeof *p, where);
    return *p;
}
template <int PrefetchBytes>
inline uint4 load_streaming(const uint4* p, HALFBYTE_HERE) {
    static_assert(PrefetchBytes == 128 || PrefetchBytes == 256);
    emulation::read_only(p, sizeof *p, where);
    return *p;
}
template <int PrefetchBytes>
inline uint2 load_streaming(const uint2* p, HALFBYTE_HERE) {
    static_assert(PrefetchBytes == 128 || PrefetchBytes == 256);
    emulation::read_only(p, sizeof *p, where);
    return *p;
}
template <int PrefetchBytes>
inline uint4 load_streaming(const uint4* p, uint64_t, HALFBYTE_HERE) {
    emulation::require(80, where);
    return load_streaming<PrefetchBytes>(p, where);
}
template <int PrefetchBytes>
inline uint2 load_streaming(const uint2* p, uint64_t, HALFBYTE_HERE) {
    emulation::require(80, where);
    return load_streaming<PrefetchBytes>(p, where);
}
inline void prefetch_l2(const void* p, HALFBYTE_HERE) { emulation::prefetch(p, where); }

inline void store_streaming(uint4* p, uint4 v) { *p = v; }
inline void store_streaming(uint2* p, uint2 v) { *p = v; }
inline void store_streaming(uint32_t* p, uint32_t v) { *p = v; }

inline uint32_t load_acquire(const uint32_t* p) {
    emulation::observe(p, 4, false, true);
    emulation::polled();
    return emulation::atomic_load(p);
}
inline void store_release(uint32_t* p, uint32_t v) {
    emulation::observe(p, 4, true, true);
    emulation::atomic_store(p, v);
}
inline uint32_t add_acquire_release(uint32_t* p, uint32_t v) { return atomicAdd(p, v); }

}  // namespace halfbyte::cuda::ptx
