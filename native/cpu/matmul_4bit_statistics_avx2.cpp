// absmax[b] = codebook[codes[b]] * nested_absmax[b >> shift] + offset, two roundings. The lookups are scalar loads: AVX2's gather
// is no faster.
#if defined(__x86_64__)
#include "matmul_4bit_weight.h"
#include "x86.h"

namespace halfbyte::cpu {

void decode_statistics_avx2(const Weight4Bit& weight, int64_t begin, int64_t end, float* out) {
    const __m256 offset = _mm256_set1_ps(weight.nested_offset);
    for (int64_t b = begin; b < end;) {
        const int64_t nested = b >> weight.nested_shift;
        const int64_t nested_end = (nested + 1) << weight.nested_shift;
        const int64_t limit = nested_end < end ? nested_end : end;
        const __m256 absmax = _mm256_set1_ps(weight.nested_absmax[nested]);
        for (; b < limit; b += 8) {
            const int count = static_cast<int>(limit - b < 8 ? limit - b : 8);
            alignas(32) float value[8] = {};
            for (int i = 0; i < count; ++i) value[i] = weight.nested_codebook[weight.absmax_codes[b + i]];
            _mm256_store_ps(value, _mm256_add_ps(_mm256_mul_ps(_mm256_load_ps(value), absmax), offset));
            if (count == 8) _mm256_storeu_ps(out + (b - begin), _mm256_load_ps(value));
            else __builtin_memcpy(out + (b - begin), value, static_cast<size_t>(count) * sizeof(float));
        }
        b = limit;
    }
}

}  // namespace halfbyte::cpu
#endif
