// A tile of dx = dy * W for int8 weights, plain C++: the definition.
#include "matmul_int8_transposed.h"

namespace halfbyte::cpu {

void add_gradient_int8_scalar(const GradientTile& tile, float* sums) {
    for (int64_t m = 0; m < tile.M; ++m) {
        for (int64_t n = 0; n < tile.N; ++n) {
            const float d = tile.d[m * kGradientTileN + n];
            const int8_t* w = tile.w + n * tile.ldw;
            for (int64_t k = 0; k < tile.K; ++k) sums[m * tile.ldsums + k] += d * static_cast<float>(w[k]);
        }
    }
}

}  // namespace halfbyte::cpu
