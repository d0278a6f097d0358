// y[m, n] = sum over k of x[m, k] * (table[code(n, k)] * absmax(block of (n, k)))
//
// Every product of a table value and its statistic is rounded to float32, as halfbyte_dequantize_4bit does; each block is summed
// on its own before it joins the row's sum, which keeps the error of long rows small.
#include "activations.h"
#include "matmul_4bit.h"

namespace halfbyte::cpu {

float dot_scalar(const Weight4Bit& weight, int64_t n, DType dtype, const void* x) {
    const int64_t row = n * weight.K;
    float sum = 0.0f;
    for (int64_t k = 0; k < weight.K;) {
        const int64_t block = (row + k) >> weight.block_shift;
        const float absmax = absmax_of(weight, block);
        float block_sum = 0.0f;
        for (; k < weight.K && (row + k) >> weight.block_shift == block; ++k)
            block_sum += load_float(dtype, x, k) * (weight.table[code_of(weight, row + k)] * absmax);
        sum += block_sum;
    }
    return sum;
}

}  // namespace halfbyte::cpu
