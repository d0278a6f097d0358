// 16 elements at a time, the last ones masked: a bfloat16 is the upper half of its float32, a float16 has an instruction.
#if defined(__x86_64__)
#include "activations.h"
#include "x86.h"

namespace halfbyte::cpu {

void to_float32_avx512(DType dtype, const void* source, int64_t count, float* destination) {
    if (dtype == DType::kFloat32) return to_float32_scalar(dtype, source, count, destination);
    const uint16_t* bits = static_cast<const uint16_t*>(source);
    for (int64_t i = 0; i < count; i += 16) {
        const __mmask16 mask = count - i >= 16 ? 0xffff : static_cast<__mmask16>((1u << (count - i)) - 1);
        const __m256i v = _mm256_maskz_loadu_epi16(mask, bits + i);
        const __m512 wide =
            dtype == DType::kFloat16 ? _mm512_cvtph_ps(v) : _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
        _mm512_mask_storeu_ps(destination + i, mask, wide);
    }
}

}  // namespace halfbyte::cpu
#endif
