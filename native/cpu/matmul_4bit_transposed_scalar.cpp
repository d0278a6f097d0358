// dx[m, k] = sum over i and n of dy_i[m, n] * (table[code_i(n, k)] * absmax_i(block of (n, k)))
//
// The sum over n is taken in chunks of 64 rows, each summed on its own, which keeps the error of long columns small.
#include "matmul_4bit.h"

namespace halfbyte::cpu {

float transposed_dot_scalar(const MatMul4BitTransposed& op, int64_t m, int64_t k) {
    constexpr int64_t kChunk = 64;
    float sum = 0.0f;
    for (int64_t i = 0; i < op.count; ++i) {
        const halfbyte_weight_4bit& weight = op.weights[i];
        const float* table = table_of(weight);
        for (int64_t n = 0; n < weight.N;) {
            const int64_t end = weight.N - n > kChunk ? n + kChunk : weight.N;
            float chunk_sum = 0.0f;
            for (; n < end; ++n) {
                const int64_t element = n * weight.K + k;
                const float value = table[code_at(weight, element)] * absmax_of(weight, element / weight.blocksize);
                chunk_sum += load_float(op.dtype, op.gradients[i].dy, m * op.gradients[i].lddy + n) * value;
            }
            sum += chunk_sum;
        }
    }
    return sum;
}

}  // namespace halfbyte::cpu
