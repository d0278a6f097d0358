// A tile of 16-bit elements in shared memory, rows of 4, 8 or 16 pieces of 16 bytes, and its way there.
//
// The pieces of a row are permuted so that eight rows' pieces of one index lie in different banks, and so do the pieces 2t (and
// 2t + 1), t = 0 to 3, of two rows: what eight lanes read or write at once, by ldmatrix or 16 bytes each, never conflicts.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device/ptx.cuh"
#include "cuda/device/row_stage.cuh"

namespace halfbyte::cuda {

template <int Rows, int Pieces>
struct SwizzledTile {
    static_assert(Pieces == 4 || Pieces == 8 || Pieces == 16);
    static constexpr int kRows = Rows, kPieces = Pieces;
    alignas(128) uint4 pieces[Rows][Pieces];

    // Where a piece of a row lies in it: the same every eight rows.
    __device__ __forceinline__ static int place(int row, int piece) { return piece ^ (Pieces == 4 ? row >> 1 & 3 : row & 7); }
    __device__ __forceinline__ uint4& at(int row, int piece) { return pieces[row][place(row, piece)]; }
    __device__ __forceinline__ const uint4& at(int row, int piece) const { return pieces[row][place(row, piece)]; }
};

// Copies the rows of a matrix to one tile after the other, as far as they are wide; zeros where there are none. All `Threads` of
// the block take part. Before sm_80, and where rows are not aligned to 16 bytes, a copy passes through registers and is done at
// once. Aligned: rows are known to be, and the code for those that are not is left out.
template <class Tile, int Threads, bool Aligned>
class TileCopies {
   public:
    // From row `first` and byte `offset` of each row on.
    __device__ __forceinline__ TileCopies(const StagedMatrix& from, int64_t first, int64_t offset)
        : data_(from.data + (first + row()) * from.stride + offset + piece() * 16),
          left_(static_cast<int>(from.row_bytes - offset) - piece() * 16),
          rows_(static_cast<int>(min(from.rows - first, int64_t{Tile::kRows}))) {}

    // Begins to copy the next tile.
    __device__ __forceinline__ void next(Tile& tile, const StagedMatrix& from) {
        const int bytes = max(0, min(left_, 16));
        const unsigned char* data = data_;
        uint4* to = &tile.at(row(), piece());
        const bool is_aligned = Aligned || from.is_aligned;
        if (ptx::since(80) && is_aligned) {
#pragma unroll
            for (int i = 0; i < Tile::kRows;
                 i += kRowsAtOnce, data += kRowsAtOnce * from.stride, to += kRowsAtOnce * Tile::kPieces) {
                if (Tile::kRows % kRowsAtOnce != 0 && row() + i >= Tile::kRows) break;
                const int exist = row() + i < rows_ ? bytes : 0;
                ptx::copy_async_streaming(to, data, static_cast<uint32_t>(exist));
            }
        } else {
#pragma unroll(kUnrolled)
            for (int i = row(); i < Tile::kRows;
                 i += kRowsAtOnce, data += kRowsAtOnce * from.stride, to += kRowsAtOnce * Tile::kPieces)
                *to = load_16(data, i < rows_ ? bytes : 0, is_aligned);
        }
        data_ += Tile::kPieces * 16;
        left_ -= Tile::kPieces * 16;
    }

   private:
    static constexpr int kRowsAtOnce = Threads / Tile::kPieces;
    static_assert(Threads % Tile::kPieces == 0 && kRowsAtOnce % 8 == 0);  // the permutation is the same every eight rows
    static constexpr int kUnrolled = 2;  // where loads go through registers, of which there are few to spare
    __device__ __forceinline__ static int row() { return static_cast<int>(threadIdx.x) / Tile::kPieces; }
    __device__ __forceinline__ static int piece() { return static_cast<int>(threadIdx.x) % Tile::kPieces; }

    const unsigned char* data_;
    int left_;  // bytes of the row, from here on
    int rows_;
};

// Ends a group of copies, as copy_async_commit.
__device__ __forceinline__ void commit_tiles() {
    if (ptx::since(80)) ptx::copy_async_commit();
}

// Waits until at most `Groups` of them are under way. Others see the tiles after a barrier.
template <int Groups>
__device__ __forceinline__ void wait_for_tiles() {
    if (ptx::since(80)) ptx::copy_async_wait<Groups>();
}

}  // namespace halfbyte::cuda
