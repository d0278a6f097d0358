// Row-wise int8 to floating point, plain C++: the definition.
#include "dequantize_int8.h"
#include "epilogue.h"

namespace halfbyte::cpu {

void dequantize_int8_scalar(const Int8Rows& rows) {
    for (int64_t n = 0; n < rows.N; ++n) {
        for (int64_t k = 0; k < rows.K; ++k) {
            const int64_t i = n * rows.K + k;
            store_float(rows.dtype, rows.output, i, static_cast<float>(rows.codes[i]) * rows.absmax[n] * (1.0f / 127.0f));
        }
    }
}

}  // namespace halfbyte::cpu
