// 8 elements at a time: a bfloat16 is the upper half of its float32, a float16 has an instruction.
#if defined(__x86_64__)
#include "activations.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

__m256 widen(DType dtype, __m128i bits) {
    return dtype == DType::kFloat16 ? _mm256_cvtph_ps(bits)
                                    : _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

}  // namespace

void to_float32_avx2(DType dtype, const void* source, int64_t count, float* destination) {
    if (dtype == DType::kFloat32) return to_float32_scalar(dtype, source, count, destination);
    const uint16_t* bits = static_cast<const uint16_t*>(source);
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(destination + i, widen(dtype, _mm_loadu_si128(reinterpret_cast<const __m128i*>(bits + i))));
    to_float32_scalar(dtype, bits + i, count - i, destination + i);
}

}  // namespace halfbyte::cpu
#endif
