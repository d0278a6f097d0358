#include "matmul_4bit_transposed.h"

#include "epilogue.h"
#include "operations.h"

namespace halfbyte::cpu {

int64_t matmul_4bit_transposed_workspace(Stream&, const MatMul4BitTransposed&) { return 0; }

void matmul_4bit_transposed(Stream& stream, const MatMul4BitTransposed& op) {
    cpu_stream(stream).parallel_for(op.K, 1, [&](int64_t first, int64_t last) {
        for (int64_t m = 0; m < op.M; ++m)
            for (int64_t k = first; k < last; ++k) store_float(op.dtype, op.dx, m * op.lddx + k, transposed_dot_scalar(op, m, k));
    });
}

}  // namespace halfbyte::cpu
