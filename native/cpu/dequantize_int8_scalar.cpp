// Row-wise int8 to floating point, plain C++: the definition.
#include "dequantize_int8.h"
#include "epilogue.h"

namespace halfbyte::cpu {

void dequantize_int8_row_scalar(const int8_t* codes, float absmax, int64_t K, bool, void* output, DType dtype) {
    for (int64_t k = 0; k < K; ++k) {
        store_float(dtype, output, k, static_cast<float>(codes[k]) * absmax * (1.0f / 127.0f));
    }
}

}  // namespace halfbyte::cpu
