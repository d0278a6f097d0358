// wgmma: products of a warpgroup (128 threads), asynchronous, operands in shared memory. Hopper's own (sm_90a).
//
//   wgmma_fence(); wgmma_bf16(d, a, b, accumulate); ... wgmma_commit(); wgmma_wait<0>(d);
//
// D is 64 x N in float (&d)[N / 2] per thread: register 4j + 2i + b is row 16 * warp + lane / 4 + 8i, column 8j + 2 * (lane % 4)
// + b. N is 8, 16, 32, 64, 128 or 256. A is 64 x k by a descriptor, or in registers as the A fragment of mma.cuh, 16 rows per
// warp; B is k x N by a descriptor. k is 16 for 16-bit types and 32 for int8. Until wgmma_wait, neither d nor A registers nor the
// operands may be touched.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx/since.cuh"
#include "cuda/device/smem.cuh"

namespace halfbyte::cuda::ptx {

enum class WgmmaSwizzle : uint64_t { kNone = 0, k128Bytes = 1, k64Bytes = 2, k32Bytes = 3 };

// Where an operand lies. With W = 1, 2, 4, 8 pieces of 16 bytes per row for swizzles of none, 32, 64, 128 bytes and T elements
// per piece:
//   K-major    rows of 16 W bytes; `stride` bytes from 8 rows to the next 8; without swizzle, `leading` bytes from a piece to the
//              next along k
//   MN-major   lines of W T elements along m or n, one per k; `stride` bytes from 8 k to the next 8, `leading` bytes from W T
//              elements to the next along m or n; without swizzle the two change places
// Tiles begin at multiples of 1024, 512 or 256 bytes for swizzles of 128, 64, 32. Stepping along k inside a swizzled row adds
// bytes to `p`.
__device__ __forceinline__ uint64_t wgmma_descriptor(const void* p, uint32_t leading, uint32_t stride, WgmmaSwizzle swizzle) {
    return uint64_t{(shared_address(p) & 0x3ffffu) >> 4} | uint64_t{(leading & 0x3ffffu) >> 4} << 16 |
           uint64_t{(stride & 0x3ffffu) >> 4} << 32 | static_cast<uint64_t>(swizzle) << 62;
}

// Before the first product, and after the thread itself has written d or A registers.
__device__ __forceinline__ void wgmma_fence() { HALFBYTE_SM90A(asm volatile("wgmma.fence.sync.aligned;" ::: "memory")); }

__device__ __forceinline__ void wgmma_commit() { HALFBYTE_SM90A(asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory")); }

// At most `Groups` groups are still running. Whoever reads d next passes it to the form below.
template <int Groups>
__device__ __forceinline__ void wgmma_wait() {
    HALFBYTE_SM90A(asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Groups) : "memory"));
}

// ---- register lists ------------------------------------------------------------------------------------------------------------

#define HALFBYTE_4(c, i) c(d[i]), c(d[i + 1]), c(d[i + 2]), c(d[i + 3])
#define HALFBYTE_8(c, i) HALFBYTE_4(c, i), HALFBYTE_4(c, i + 4)
#define HALFBYTE_16(c, i) HALFBYTE_8(c, i), HALFBYTE_8(c, i + 8)
#define HALFBYTE_32(c, i) HALFBYTE_16(c, i), HALFBYTE_16(c, i + 16)
#define HALFBYTE_64(c, i) HALFBYTE_32(c, i), HALFBYTE_32(c, i + 32)
#define HALFBYTE_128(c, i) HALFBYTE_64(c, i), HALFBYTE_64(c, i + 64)

#define HALFBYTE_LIST_4 "%0,%1,%2,%3"
#define HALFBYTE_LIST_8 HALFBYTE_LIST_4 ",%4,%5,%6,%7"
#define HALFBYTE_LIST_16 HALFBYTE_LIST_8 ",%8,%9,%10,%11,%12,%13,%14,%15"
#define HALFBYTE_LIST_32 HALFBYTE_LIST_16 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define HALFBYTE_LIST_64                                               \
    HALFBYTE_LIST_32                                                   \
    ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47" \
    ",%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define HALFBYTE_LIST_128                                                          \
    HALFBYTE_LIST_64                                                               \
    ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79"             \
    ",%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95"             \
    ",%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111" \
    ",%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"

// One product with R registers of D per thread; the operands behind them are numbered from R on. `accumulate` becomes a
// predicate: 0 means that D begins at zero.
#define HALFBYTE_SS(R, instruction, tail, a0, b0, p0, ...)                                                                 \
    if constexpr (Registers == R)                                                                                          \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #p0 ", 0;\n" instruction " {" HALFBYTE_LIST_##R "}, %" #a0 ", %" #b0 \
                                                                                                      ", p" tail ";\n}"    \
                 : HALFBYTE_##R(HALFBYTE_D, 0)                                                                             \
                 : "l"(a), "l"(b), "r"(static_cast<int>(accumulate))__VA_ARGS__)
#define HALFBYTE_RS(R, instruction, tail, r0, r1, r2, r3, b0, p0, ...)                                \
    if constexpr (Registers == R)                                                                     \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #p0 ", 0;\n" instruction " {" HALFBYTE_LIST_##R \
                 "}, {%" #r0 ", %" #r1 ", %" #r2 ", %" #r3 "}, %" #b0 ", p" tail ";\n}"               \
                 : HALFBYTE_##R(HALFBYTE_D, 0)                                                        \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(accumulate))__VA_ARGS__)

#define HALFBYTE_COMMA ,
#define HALFBYTE_SS_16BIT(R, n, type, a0, b0, p0, t0, t1)                                                                  \
    HALFBYTE_SS(R, "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type, ", 1, 1, %" #t0 ", %" #t1, a0, b0, p0, \
                HALFBYTE_COMMA "n"(static_cast<int>(MnMajorA))HALFBYTE_COMMA "n"(static_cast<int>(MnMajorB)))
#define HALFBYTE_RS_16BIT(R, n, type, r0, r1, r2, r3, b0, p0, t0)                                                            \
    HALFBYTE_RS(R, "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type, ", 1, 1, %" #t0, r0, r1, r2, r3, b0, p0, \
                HALFBYTE_COMMA "n"(static_cast<int>(MnMajorB)))
#define HALFBYTE_SS_S8(R, n, a0, b0, p0) HALFBYTE_SS(R, "wgmma.mma_async.sync.aligned.m64n" #n "k32.s32.s8.s8", "", a0, b0, p0)
#define HALFBYTE_RS_S8(R, n, r0, r1, r2, r3, b0, p0) \
    HALFBYTE_RS(R, "wgmma.mma_async.sync.aligned.m64n" #n "k32.s32.s8.s8", "", r0, r1, r2, r3, b0, p0)

#define HALFBYTE_SS_16BIT_ALL(type)                       \
    HALFBYTE_SS_16BIT(4, 8, type, 4, 5, 6, 7, 8);         \
    HALFBYTE_SS_16BIT(8, 16, type, 8, 9, 10, 11, 12);     \
    HALFBYTE_SS_16BIT(16, 32, type, 16, 17, 18, 19, 20);  \
    HALFBYTE_SS_16BIT(32, 64, type, 32, 33, 34, 35, 36);  \
    HALFBYTE_SS_16BIT(64, 128, type, 64, 65, 66, 67, 68); \
    HALFBYTE_SS_16BIT(128, 256, type, 128, 129, 130, 131, 132)
#define HALFBYTE_RS_16BIT_ALL(type)                               \
    HALFBYTE_RS_16BIT(4, 8, type, 4, 5, 6, 7, 8, 9, 10);          \
    HALFBYTE_RS_16BIT(8, 16, type, 8, 9, 10, 11, 12, 13, 14);     \
    HALFBYTE_RS_16BIT(16, 32, type, 16, 17, 18, 19, 20, 21, 22);  \
    HALFBYTE_RS_16BIT(32, 64, type, 32, 33, 34, 35, 36, 37, 38);  \
    HALFBYTE_RS_16BIT(64, 128, type, 64, 65, 66, 67, 68, 69, 70); \
    HALFBYTE_RS_16BIT(128, 256, type, 128, 129, 130, 131, 132, 133, 134)

// ---- d (+)= a * b --------------------------------------------------------------------------------------------------------------

#define HALFBYTE_D(x) "+f"(x)

// Makes d a result of the wait. To a compiler it is one of the products, which it takes for done: it may compute with d before a
// wait that does not name it.
#define HALFBYTE_WAIT(R)          \
    if constexpr (Registers == R) \
    asm volatile("wgmma.wait_group.sync.aligned %" #R ";" : HALFBYTE_##R(HALFBYTE_D, 0) : "n"(Groups) : "memory")
#define HALFBYTE_WAIT_ALL \
    HALFBYTE_WAIT(4);     \
    HALFBYTE_WAIT(8);     \
    HALFBYTE_WAIT(16);    \
    HALFBYTE_WAIT(32);    \
    HALFBYTE_WAIT(64);    \
    HALFBYTE_WAIT(128)

template <int Groups, int Registers>
__device__ __forceinline__ void wgmma_wait(float (&d)[Registers]) {
    HALFBYTE_SM90A(HALFBYTE_WAIT_ALL);
}

template <bool MnMajorA = false, bool MnMajorB = false, int Registers>
__device__ __forceinline__ void wgmma_bf16(float (&d)[Registers], uint64_t a, uint64_t b, bool accumulate) {
    HALFBYTE_SM90A(HALFBYTE_SS_16BIT_ALL("bf16"));
}

template <bool MnMajorB = false, int Registers>
__device__ __forceinline__ void wgmma_bf16(float (&d)[Registers], const uint32_t (&a)[4], uint64_t b, bool accumulate) {
    HALFBYTE_SM90A(HALFBYTE_RS_16BIT_ALL("bf16"));
}

template <bool MnMajorA = false, bool MnMajorB = false, int Registers>
__device__ __forceinline__ void wgmma_f16(float (&d)[Registers], uint64_t a, uint64_t b, bool accumulate) {
    HALFBYTE_SM90A(HALFBYTE_SS_16BIT_ALL("f16"));
}

template <bool MnMajorB = false, int Registers>
__device__ __forceinline__ void wgmma_f16(float (&d)[Registers], const uint32_t (&a)[4], uint64_t b, bool accumulate) {
    HALFBYTE_SM90A(HALFBYTE_RS_16BIT_ALL("f16"));
}

#undef HALFBYTE_D
#define HALFBYTE_D(x) "+r"(x)

template <int Groups, int Registers>
__device__ __forceinline__ void wgmma_wait(int32_t (&d)[Registers]) {
    HALFBYTE_SM90A(HALFBYTE_WAIT_ALL);
}

template <int Registers>
__device__ __forceinline__ void wgmma_s8(int32_t (&d)[Registers], uint64_t a, uint64_t b, bool accumulate) {
    HALFBYTE_SM90A(HALFBYTE_SS_S8(4, 8, 4, 5, 6); HALFBYTE_SS_S8(8, 16, 8, 9, 10); HALFBYTE_SS_S8(16, 32, 16, 17, 18);
                   HALFBYTE_SS_S8(32, 64, 32, 33, 34); HALFBYTE_SS_S8(64, 128, 64, 65, 66);
                   HALFBYTE_SS_S8(128, 256, 128, 129, 130));
}

template <int Registers>
__device__ __forceinline__ void wgmma_s8(int32_t (&d)[Registers], const uint32_t (&a)[4], uint64_t b, bool accumulate) {
    HALFBYTE_SM90A(HALFBYTE_RS_S8(4, 8, 4, 5, 6, 7, 8, 9); HALFBYTE_RS_S8(8, 16, 8, 9, 10, 11, 12, 13);
                   HALFBYTE_RS_S8(16, 32, 16, 17, 18, 19, 20, 21); HALFBYTE_RS_S8(32, 64, 32, 33, 34, 35, 36, 37);
                   HALFBYTE_RS_S8(64, 128, 64, 65, 66, 67, 68, 69); HALFBYTE_RS_S8(128, 256, 128, 129, 130, 131, 132, 133));
}

#undef HALFBYTE_D

}  // namespace halfbyte::cuda::ptx
