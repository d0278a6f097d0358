// Blockwise 8-bit quantization, 16 elements at a time.
//
//   absmax = max |x|,  t = float(x) * (1.0f / absmax),  code = number of the 255 thresholds below t
//
// Lanes: even elements in one vector, odd ones in another; their codes meet in the bytes of a word, and the words are then put in
// order (simd_avx2.h). A binary search of eight steps: permutations and blends look up the thresholds of the first six, gathers
// those of the last two. Reads 2 or 4 bytes per element, writes 1. Aim: several times the reference; gathers set the pace.
#if defined(__x86_64__)
#include "quantize_blockwise.h"
#include "simd_avx2.h"
#include "spans.h"

namespace halfbyte::cpu::avx2 {
namespace {

// The 2^s thresholds of step s start at steps[2^s].
class Search {
   public:
    explicit Search(const BlockwiseThresholds& thresholds) {
        for (int s = 0; s < 8; ++s) {
            const int left = 256 >> s;  // counts that are still possible
            for (int i = 0; i < 1 << s; ++i) steps_[(1 << s) + i] = thresholds.values[i * left + left / 2 - 1];
        }
    }

    __m256i operator()(__m256 t) const {
        __m256i i = _mm256_setzero_si256();
        for (int s = 0; s < 8; ++s) {
            const __m256 above = _mm256_cmp_ps(t, lookup(s, i), _CMP_GT_OQ);  // -1 where it holds
            i = _mm256_sub_epi32(_mm256_add_epi32(i, i), _mm256_castps_si256(above));
        }
        return i;
    }

   private:
    __m256 lookup(int s, __m256i i) const {
        const float* table = steps_ + (1 << s);
        if (s > 5) return _mm256_i32gather_ps(table, i, 4);
        const __m256 bit3 = _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)), bit4 = _mm256_castsi256_ps(_mm256_slli_epi32(i, 27));
        if (s == 5) return _mm256_blendv_ps(lookup_16(table, i, bit3), lookup_16(table + 16, i, bit3), bit4);
        if (s == 4) return lookup_16(table, i, bit3);
        return lookup_8(table, i);
    }

    static __m256 lookup_16(const float* table, __m256i i, __m256 bit3) {
        return _mm256_blendv_ps(lookup_8(table, i), lookup_8(table + 8, i), bit3);
    }

    static __m256 lookup_8(const float* table, __m256i i) { return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), i); }

    float steps_[256];
};

template <DType dtype>
void quantize(const QuantizeBlockwise& part, const BlockwiseThresholds& thresholds) {
    const Search search(thresholds);
    const auto find_absmax = [&](int64_t first) {
        part.absmax[first / part.blocksize] = absmax_of_block<dtype>(part.input, first, part.blocksize);
    };
    for_each_span<size_of(dtype)>(part.input, part.n, part.blocksize, part.blocksize, find_absmax, [&](int64_t first) {
        const float absmax = part.absmax[first / part.blocksize];
        const __m256 inverse = _mm256_set1_ps(1.0f / absmax);
        for (int64_t i = first; i < first + part.blocksize; i += 16) {
            const EvenOdd x = load_even_odd<dtype>(part.input, i);
            const __m256i even = search(_mm256_mul_ps(x.even, inverse));
            const __m256i odd = search(_mm256_mul_ps(x.odd, inverse));
            const __m256i words = _mm256_or_si256(even, _mm256_slli_epi32(odd, 8));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(part.codes + i), gather_words<dtype>(words));
        }
    });
}

}  // namespace

void quantize_blockwise(const QuantizeBlockwise& part, const BlockwiseThresholds& thresholds) {
    if (part.dtype == DType::kFloat32) quantize<DType::kFloat32>(part, thresholds);
    else if (part.dtype == DType::kFloat16) quantize<DType::kFloat16>(part, thresholds);
    else quantize<DType::kBFloat16>(part, thresholds);
}

}  // namespace halfbyte::cpu::avx2
#endif
