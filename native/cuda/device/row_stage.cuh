// A stage of a matrix in shared memory: 128 bytes of each of up to 64 rows, on their way through the registers of 256 threads.
//
// The fragments that read it let lane 4g + t of a warp take bytes 16t to 16t + 15 of a 64-byte chunk of row g, in one 16-byte
// access. Rows lie 192 bytes apart, so that the eight lanes that are served together touch all 32 banks once.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

namespace halfbyte::cuda {

inline constexpr int kStageBytes = 128, kStageRowBytes = 192, kStageThreads = 256;

template <int Rows>
struct RowStage {
    alignas(16) unsigned char rows[Rows][kStageRowBytes];
};

// 16 bytes at `from`, of which the first `count` exist (any number); the others are zero. Aligned: to 16 bytes.
__device__ __forceinline__ uint4 load_16(const unsigned char* from, int64_t count, bool is_aligned) {
    if (is_aligned && count >= 16) return *reinterpret_cast<const uint4*>(from);
    uint32_t words[4] = {};
#pragma unroll
    for (int i = 0; i < 16; ++i)
        if (i < count) words[i / 4] |= static_cast<uint32_t>(from[i]) << (i % 4 * 8);
    return make_uint4(words[0], words[1], words[2], words[3]);
}

// Where the rows come from: row-major, `row_bytes` of each exist, `stride` bytes apart.
struct StagedMatrix {
    const unsigned char* data;
    int64_t rows, row_bytes, stride;
    bool is_aligned;  // every row, to 16 bytes

    StagedMatrix() = default;
    __host__ __device__ StagedMatrix(const void* matrix, int64_t row_count, int64_t bytes, int64_t stride_bytes)
        : data(static_cast<const unsigned char*>(matrix)),
          rows(row_count),
          row_bytes(bytes),
          stride(stride_bytes),
          is_aligned(reinterpret_cast<uintptr_t>(matrix) % 16 == 0 && stride_bytes % 16 == 0) {}
};

// What one thread carries of a stage.
template <int Rows>
struct StageRegisters {
    static constexpr int kPieces = Rows * (kStageBytes / 16);
    static constexpr int kPerThread = (kPieces + kStageThreads - 1) / kStageThreads;
    uint4 words[kPerThread];

    // Bytes `offset` and on of rows `first` and on.
    __device__ __forceinline__ void load(const StagedMatrix& from, int64_t first, int64_t offset) {
#pragma unroll
        for (int i = 0; i < kPerThread; ++i) {
            const int piece = static_cast<int>(threadIdx.x) + i * kStageThreads;
            const int64_t row = first + piece / 8, at = offset + piece % 8 * 16;
            words[i] = piece < kPieces && row < from.rows
                           ? load_16(from.data + row * from.stride + at, from.row_bytes - at, from.is_aligned)
                           : uint4{};
        }
    }

    __device__ __forceinline__ void store(RowStage<Rows>& to) const {
#pragma unroll
        for (int i = 0; i < kPerThread; ++i) {
            const int piece = static_cast<int>(threadIdx.x) + i * kStageThreads;
            if (piece < kPieces) *reinterpret_cast<uint4*>(&to.rows[piece / 8][piece % 8 * 16]) = words[i];
        }
    }
};

// This lane's 16 bytes of chunk 0 or 1 of eight rows from `first` on.
template <int Rows>
__device__ __forceinline__ uint4 stage_fragment(const RowStage<Rows>& stage, int first, int chunk) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    return *reinterpret_cast<const uint4*>(&stage.rows[first + lane / 4][chunk * 64 + lane % 4 * 16]);
}

}  // namespace halfbyte::cuda
