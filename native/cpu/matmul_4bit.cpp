#include "matmul_4bit.h"

#include "epilogue.h"
#include "operations.h"

namespace halfbyte::cpu {

int64_t matmul_4bit_workspace(Stream&, const MatMul4Bit&) { return 0; }

void matmul_4bit(Stream& stream, const MatMul4Bit& op) {
    const CpuStream& cpu = cpu_stream(stream);
    for (int64_t i = 0; i < op.count; ++i) {
        const halfbyte_weight_4bit& weight = op.weights[i];
        cpu.parallel_for(weight.N, 1, [&](int64_t first, int64_t last) {
            for (int64_t m = 0; m < op.M; ++m) {
                const void* x = element_at(op.dtype, op.x, m * op.ldx);
                for (int64_t n = first; n < last; ++n) {
                    const float sum = dot_scalar(weight, n, op.dtype, x);
                    store_row(Path::kScalar, output_row(op.outputs[i], op.dtype, m, n), &sum, 1);
                }
            }
        });
    }
}

}  // namespace halfbyte::cpu
