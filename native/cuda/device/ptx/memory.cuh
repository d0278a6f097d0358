// Loads and stores of global memory with cache hints, and the ones that order memory between blocks.
//
// load_streaming, like __ldg, takes the read-only path (.nc): for data that nobody writes while the kernel lives. What the kernel
// before may write is not of that kind where the two overlap (Launch::overlaps_predecessor). PTX's memory model leaves that path
// out, so a compiler may move such a load in front of grid_dependency_wait, and some do; load_coherent stays behind it.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx/since.cuh"

namespace halfbyte::cuda::ptx {

// ---- data that is read once: it passes by the first-level cache ----------------------------------------------------------------

__device__ __forceinline__ uint4 load_streaming(const uint4* p) {
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(p));
    return v;
}

__device__ __forceinline__ uint2 load_streaming(const uint2* p) {
    uint2 v;
    asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(p));
    return v;
}

__device__ __forceinline__ uint32_t load_streaming(const uint32_t* p) {
    uint32_t v;
    asm volatile("ld.global.nc.L1::no_allocate.u32 %0, [%1];" : "=r"(v) : "l"(p));
    return v;
}

// ---- data that the kernel before may have written ------------------------------------------------------------------------------

__device__ __forceinline__ uint8_t load_coherent(const uint8_t* p) {
    uint32_t v;
    asm volatile("ld.global.u8 %0, [%1];" : "=r"(v) : "l"(p));
    return static_cast<uint8_t>(v);
}

__device__ __forceinline__ uint32_t load_coherent(const uint32_t* p) {
    uint32_t v;
    asm volatile("ld.global.u32 %0, [%1];" : "=r"(v) : "l"(p));
    return v;
}

__device__ __forceinline__ float load_coherent(const float* p) {
    float v;
    asm volatile("ld.global.f32 %0, [%1];" : "=f"(v) : "l"(p));
    return v;
}

__device__ __forceinline__ uint2 load_coherent(const uint2* p) {
    uint2 v;
    asm volatile("ld.global.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(p));
    return v;
}

__device__ __forceinline__ uint4 load_coherent(const uint4* p) {
    uint4 v;
    asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
    return v;
}

// Read once, past the first-level cache.
__device__ __forceinline__ uint2 load_coherent_streaming(const uint2* p) {
    uint2 v;
    asm volatile("ld.global.L1::no_allocate.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(p));
    return v;
}

// The same; the second-level cache fetches as load_streaming<PrefetchBytes> says below.
template <int PrefetchBytes>
__device__ __forceinline__ uint2 load_coherent_streaming(const uint2* p) {
    static_assert(PrefetchBytes == 128 || PrefetchBytes == 256);
    uint2 v;
    if constexpr (PrefetchBytes == 128 || !since(80))
        asm volatile("ld.global.L1::no_allocate.L2::128B.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(p));
    else asm volatile("ld.global.L1::no_allocate.L2::256B.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(p));
    return v;
}

// ---- the second-level cache ----------------------------------------------------------------------------------------------------

// A policy for the loads below: what they bring is evicted first, or last. Since sm_80.
__device__ __forceinline__ uint64_t policy_evict_first() {
    uint64_t policy = 0;
    HALFBYTE_SINCE(80, asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy)););
    return policy;
}

__device__ __forceinline__ uint64_t policy_evict_last() {
    uint64_t policy = 0;
    HALFBYTE_SINCE(80, asm volatile("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy)););
    return policy;
}

__device__ __forceinline__ uint4 load_streaming(const uint4* p, uint64_t policy) {
    uint4 v{};
    HALFBYTE_SINCE(80, asm volatile("ld.global.nc.L1::no_allocate.L2::cache_hint.v4.u32 {%0, %1, %2, %3}, [%4], %5;"
                                    : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                                    : "l"(p), "l"(policy)););
    return v;
}

__device__ __forceinline__ uint2 load_streaming(const uint2* p, uint64_t policy) {
    uint2 v{};
    HALFBYTE_SINCE(80, asm volatile("ld.global.nc.L1::no_allocate.L2::cache_hint.v2.u32 {%0, %1}, [%2], %3;"
                                    : "=r"(v.x), "=r"(v.y)
                                    : "l"(p), "l"(policy)););
    return v;
}

// The second-level cache fetches the aligned 128 or 256 bytes around the address as well, for readers who come next. It is a hint,
// and sm_75, which knows 128 alone, takes that for 256.
template <int PrefetchBytes>
__device__ __forceinline__ uint4 load_streaming(const uint4* p) {
    static_assert(PrefetchBytes == 128 || PrefetchBytes == 256);
    uint4 v;
    if constexpr (PrefetchBytes == 128 || !since(80))
        asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                     : "l"(p));
    else
        asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                     : "l"(p));
    return v;
}

template <int PrefetchBytes>
__device__ __forceinline__ uint2 load_streaming(const uint2* p) {
    static_assert(PrefetchBytes == 128 || PrefetchBytes == 256);
    uint2 v;
    if constexpr (PrefetchBytes == 128 || !since(80))
        asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(p));
    else asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(p));
    return v;
}

template <int PrefetchBytes>
__device__ __forceinline__ uint4 load_streaming(const uint4* p, uint64_t policy) {
    static_assert(PrefetchBytes == 128 || PrefetchBytes == 256);
    uint4 v{};
    if constexpr (PrefetchBytes == 128)
        HALFBYTE_SINCE(80, asm volatile("ld.global.nc.L1::no_allocate.L2::cache_hint.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4], %5;"
                                        : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                                        : "l"(p), "l"(policy)););
    else
        HALFBYTE_SINCE(80, asm volatile("ld.global.nc.L1::no_allocate.L2::cache_hint.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4], %5;"
                                        : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                                        : "l"(p), "l"(policy)););
    return v;
}

template <int PrefetchBytes>
__device__ __forceinline__ uint2 load_streaming(const uint2* p, uint64_t policy) {
    static_assert(PrefetchBytes == 128 || PrefetchBytes == 256);
    uint2 v{};
    if constexpr (PrefetchBytes == 128)
        HALFBYTE_SINCE(80, asm volatile("ld.global.nc.L1::no_allocate.L2::cache_hint.L2::128B.v2.u32 {%0, %1}, [%2], %3;"
                                        : "=r"(v.x), "=r"(v.y)
                                        : "l"(p), "l"(policy)););
    else
        HALFBYTE_SINCE(80, asm volatile("ld.global.nc.L1::no_allocate.L2::cache_hint.L2::256B.v2.u32 {%0, %1}, [%2], %3;"
                                        : "=r"(v.x), "=r"(v.y)
                                        : "l"(p), "l"(policy)););
    return v;
}

__device__ __forceinline__ void prefetch_l2(const void* p) { asm volatile("prefetch.global.L2 [%0];" ::"l"(p)); }

// ---- results that are not read again soon --------------------------------------------------------------------------------------

__device__ __forceinline__ void store_streaming(uint4* p, uint4 v) {
    asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(p), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}

__device__ __forceinline__ void store_streaming(uint2* p, uint2 v) {
    asm volatile("st.global.cs.v2.u32 [%0], {%1, %2};" ::"l"(p), "r"(v.x), "r"(v.y) : "memory");
}

__device__ __forceinline__ void store_streaming(uint32_t* p, uint32_t v) {
    asm volatile("st.global.cs.u32 [%0], %1;" ::"l"(p), "r"(v) : "memory");
}

// ---- order between the blocks of a grid ----------------------------------------------------------------------------------------

__device__ __forceinline__ uint32_t load_acquire(const uint32_t* p) {
    uint32_t v;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
    return v;
}

__device__ __forceinline__ void store_release(uint32_t* p, uint32_t v) {
    asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(p), "r"(v) : "memory");
}

// Adds and returns the former value; orders what came before for whoever reads the result, and what comes after behind it.
__device__ __forceinline__ uint32_t add_acquire_release(uint32_t* p, uint32_t v) {
    uint32_t former;
    asm volatile("atom.add.acq_rel.gpu.global.u32 %0, [%1], %2;" : "=r"(former) : "l"(p), "r"(v) : "memory");
    return former;
}

}  // namespace halfbyte::cuda::ptx
