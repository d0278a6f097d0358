// The scalar path, and the choice among the paths.
#include "epilogue.h"

namespace halfbyte::cpu {

void store_row_scalar(const OutputRow& row, const float* sums, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
        const float value = row.bias == nullptr ? sums[i] : sums[i] + load_float(row.bias_dtype, row.bias, i);
        store_float(row.dtype, row.y, i, value);
    }
}

void store_row(Path path, const OutputRow& row, const float* sums, int64_t count) {
#if defined(__x86_64__)
    if (path >= Path::kAvx512) return store_row_avx512(row, sums, count);
    if (path >= Path::kAvx2) return store_row_avx2(row, sums, count);
#endif
    (void)path;
    store_row_scalar(row, sums, count);
}

}  // namespace halfbyte::cpu
