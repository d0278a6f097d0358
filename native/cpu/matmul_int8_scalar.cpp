// The parts of an int8 product, plain C++: the definition.
#include "matmul_int8.h"

namespace halfbyte::cpu {

void dot_int8_scalar(const Int8Tile& tile, int32_t* sums) {
    for (int64_t m = 0; m < tile.M; ++m) {
        for (int64_t n = 0; n < tile.N; ++n) {
            const int8_t* x = tile.x + m * tile.ldx;
            const int8_t* w = tile.w + n * tile.ldw;
            int32_t sum = 0;
            for (int64_t k = 0; k < tile.K; ++k) sum += int32_t{x[k]} * int32_t{w[k]};
            sums[m * tile.ldsums + n] = sum;
        }
    }
}

void add_outliers_scalar(const float* x, const float* w, int64_t M, int64_t count, float* sums) {
    for (int64_t m = 0; m < M; ++m)
        for (int64_t c = 0; c < count; ++c)
            for (int64_t n = 0; n < kInt8TileN; ++n) sums[m * kInt8TileN + n] += x[m * count + c] * w[c * kInt8TileN + n];
}

}  // namespace halfbyte::cpu
