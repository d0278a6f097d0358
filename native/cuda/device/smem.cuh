// Shared memory, all of it dynamic: a kernel declares one struct and asks for it here, its launcher passes sizeof(struct).
//
//   struct Shared { float table[16]; alignas(128) __nv_bfloat16 tile[64][64]; };
//   Shared& shared = shared_memory<Shared>();
//
// One door instead of __shared__ variables, so that the tests can stand behind it: they know the size of the launch to the byte and
// check every access against it (tests/emulation).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace halfbyte::cuda {

// 1024 bytes: the strictest alignment there is, of TMA tiles with 128-byte swizzle.
inline constexpr int kSharedAlignment = 1024;

template <class T>
__device__ __forceinline__ T& shared_memory() {
    static_assert(alignof(T) <= kSharedAlignment);
    extern __shared__ __align__(kSharedAlignment) unsigned char bytes[];
    return *reinterpret_cast<T*>(bytes);
}

// The address of a shared variable as PTX counts it.
__device__ __forceinline__ uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

}  // namespace halfbyte::cuda
