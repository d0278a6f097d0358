// Shadows native/cuda/device/ptx/wgmma.cuh.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "../../../../runtime/wgmma.h"
#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

enum class WgmmaSwizzle : uint64_t { kNone = 0, k128Bytes = 1, k64Bytes = 2, k32Bytes = 3 };

inline uint64_t wgmma_descriptor(const void* p, uint32_t leading, uint32_t stride, WgmmaSwizzle swizzle) {
    return uint64_t{(shared_address(p) & 0x3ffffu) >> 4} | uint64_t{(leading & 0x3ffffu) >> 4} << 16 |
           uint64_t{(stride & 0x3ffffu) >> 4} << 32 | static_cast<uint64_t>(swizzle) << 62;
}

inline void wgmma_fence(HALFBYTE_HERE) {
    emulation::require_sm_90a(where);
    emulation::wgmma_fence();
}
inline void wgmma_commit(HALFBYTE_HERE) {
    emulation::require_sm_90a(where);
    emulation::wgmma_commit();
}
template <int Groups>
inline void wgmma_wait(HALFBYTE_HERE) {
    emulation::require_sm_90a(where);
    emulation::wgmma_wait(Groups, where);
}

template <int Groups, class D, int Registers>
inline void wgmma_wait(D (&)[Registers], HALFBYTE_HERE) {
    wgmma_wait<Groups>(where);
}

template <bool MnMajorA, bool MnMajorB, class D>
inline void wgmma_issue(emulation::WgmmaType type, D* d, int registers, const uint32_t* fragment, uint64_t a, uint64_t b,
                        bool accumulate, emulation::Site where) {
    emulation::require_sm_90a(where);
    emulation::Wgmma operation{};
    operation.type = type;
    operation.n = static_cast<unsigned>(2 * registers);
    operation.d = d;
    operation.a_in_registers = fragment != nullptr;
    if (fragment != nullptr) operation.a = {fragment[0], fragment[1], fragment[2], fragment[3]};
    operation.a_descriptor = a;
    operation.b_descriptor = b;
    operation.accumulate = accumulate;
    operation.a_mn_major = MnMajorA;
    operation.b_mn_major = MnMajorB;
    operation.where = where;
    emulation::wgmma_issue(operation);
}

template <bool MnMajorA = false, bool MnMajorB = false, int Registers>
inline void wgmma_bf16(float (&d)[Registers], uint64_t a, uint64_t b, bool accumulate, HALFBYTE_HERE) {
    wgmma_issue<MnMajorA, MnMajorB>(emulation::WgmmaType::kBFloat16, d, Registers, nullptr, a, b, accumulate, where);
}
template <bool MnMajorB = false, int Registers>
inline void wgmma_bf16(float (&d)[Registers], const uint32_t (&a)[4], uint64_t b, bool accumulate, HALFBYTE_HERE) {
    wgmma_issue<false, MnMajorB>(emulation::WgmmaType::kBFloat16, d, Registers, a, 0, b, accumulate, where);
}
template <bool MnMajorA = false, bool MnMajorB = false, int Registers>
inline void wgmma_f16(float (&d)[Registers], uint64_t a, uint64_t b, bool accumulate, HALFBYTE_HERE) {
    wgmma_issue<MnMajorA, MnMajorB>(emulation::WgmmaType::kFloat16, d, Registers, nullptr, a, b, accumulate, where);
}
template <bool MnMajorB = false, int Registers>
inline void wgmma_f16(float (&d)[Registers], const uint32_t (&a)[4], uint64_t b, bool accumulate, HALFBYTE_HERE) {
    wgmma_issue<false, MnMajorB>(emulation::WgmmaType::kFloat16, d, Registers, a, 0, b, accumulate, where);
}
template <int Registers>
inline void wgmma_s8(int32_t (&d)[Registers], uint64_t a, uint64_t b, bool accumulate, HALFBYTE_HERE) {
    wgmma_issue<false, false>(emulation::WgmmaType::kInt8, d, Registers, nullptr, a, b, accumulate, where);
}
template <int Registers>
inline void wgmma_s8(int32_t (&d)[Registers], const uint32_t (&a)[4], uint64_t b, bool accumulate, HALFBYTE_HERE) {
    wgmma_issue<false, false>(emulation::WgmmaType::kInt8, d, Registers, a, 0, b, accumulate, where);
}

}  // namespace halfbyte::cuda::ptx
