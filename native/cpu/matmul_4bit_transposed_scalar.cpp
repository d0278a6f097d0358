// dx[m, k] = sum over i and n of dy_i[m, n] * (table[code_i(n, k)] * absmax_i(block of (n, k)))
//
// Every product of a table value and its statistic is rounded to float32, as halfbyte_dequantize_4bit does; the sum over n is taken
// in runs of 64 rows, each summed on its own, which keeps the error of long columns small.
#include "activations.h"
#include "matmul_4bit_transposed.h"

namespace halfbyte::cpu {

float transposed_dot_scalar(const MatMul4BitTransposed& op, int64_t m, int64_t k) {
    constexpr int64_t kRun = 64;
    float sum = 0.0f;
    for (int64_t i = 0; i < op.count; ++i) {
        const Weight4Bit weight = weight_4bit(op.weights[i], Path::kScalar);
        for (int64_t n = 0; n < weight.N;) {
            const int64_t end = weight.N - n > kRun ? n + kRun : weight.N;
            float run_sum = 0.0f;
            for (; n < end; ++n) {
                const int64_t element = n * weight.K + k;
                const float value = weight.table[code_of(weight, element)] * absmax_of(weight, element >> weight.block_shift);
                run_sum += load_float(op.dtype, op.gradients[i].dy, m * op.gradients[i].lddy + n) * value;
            }
            sum += run_sum;
        }
    }
    return sum;
}

}  // namespace halfbyte::cpu
