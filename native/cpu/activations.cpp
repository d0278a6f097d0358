// The scalar path, and the choice among the paths.
#include "activations.h"

#include <cstring>

namespace halfbyte::cpu {

void to_float32_scalar(DType dtype, const void* source, int64_t count, float* destination) {
    for (int64_t i = 0; i < count; ++i) destination[i] = load_float(dtype, source, i);
}

void to_float32(Path path, DType dtype, const void* source, int64_t count, float* destination) {
    if (dtype == DType::kFloat32) {
        if (count > 0) std::memcpy(destination, source, static_cast<size_t>(count) * sizeof(float));
        return;
    }
#if defined(__x86_64__)
    if (path >= Path::kAvx512) return to_float32_avx512(dtype, source, count, destination);
    if (path >= Path::kAvx2) return to_float32_avx2(dtype, source, count, destination);
#endif
    (void)path;
    to_float32_scalar(dtype, source, count, destination);
}

}  // namespace halfbyte::cpu
