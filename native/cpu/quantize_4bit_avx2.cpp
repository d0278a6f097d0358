// 4-bit quantization, 16 elements at a time.
//
//   absmax = max |x|,  t = float(x) * (1.0f / absmax),  code = number of thresholds below t (FP4: of |t|, then looked up)
//
// Lanes: even elements (high nibbles) in one vector, odd ones (low nibbles) in another, so that a lane of both makes one byte;
// which byte depends on the type (simd_avx2.h) and is put right when bytes are gathered. The count is a binary search whose
// thresholds sit in registers. Two instructions per element; reads 2 or 4 bytes per element, writes 0.5. Aim: half the speed of
// reading memory on one core, all of it on a few.
#if defined(__x86_64__)
#include "quantize_4bit.h"
#include "simd_avx2.h"
#include "spans.h"

namespace halfbyte::cpu::avx2 {
namespace {

// Step s knows all but the last bits of the count, i, and compares with the threshold in the middle of the counts that are left.
template <int bits>
struct Search {
    __m256 steps[bits];

    explicit Search(const float* thresholds) {
        for (int s = 0; s < bits; ++s) {
            alignas(32) float table[8] = {};
            const int left = (1 << bits) >> s;
            for (int i = 0; i < 1 << s; ++i) table[i] = thresholds[i * left + left / 2 - 1];
            steps[s] = s == 0 ? _mm256_set1_ps(table[0]) : _mm256_load_ps(table);
        }
    }

    __m256i operator()(__m256 t) const {
        __m256i i = _mm256_setzero_si256();
        for (int s = 0; s < bits; ++s) {
            const __m256 threshold = s == 0 ? steps[0] : _mm256_permutevar8x32_ps(steps[s], i);
            const __m256i above = _mm256_castps_si256(_mm256_cmp_ps(t, threshold, _CMP_GT_OQ));  // -1 where it holds
            i = _mm256_sub_epi32(_mm256_add_epi32(i, i), above);
        }
        return i;
    }
};

struct Count {
    Search<4> search;
    explicit Count(const Encoding4Bit& encoding) : search(encoding.thresholds) {}
    __m256i operator()(__m256 t) const { return search(t); }
};

struct SignedMagnitude {
    Search<3> search;
    __m256i magnitudes;

    explicit SignedMagnitude(const Encoding4Bit& encoding)
        : search(encoding.thresholds), magnitudes(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(encoding.magnitudes))) {}

    __m256i operator()(__m256 t) const {
        const __m256 magnitude = _mm256_and_ps(t, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff)));
        const __m256i negative = _mm256_castps_si256(_mm256_cmp_ps(t, _mm256_setzero_ps(), _CMP_LT_OQ));
        const __m256i sign = _mm256_and_si256(negative, _mm256_set1_epi32(8));
        return _mm256_or_si256(_mm256_permutevar8x32_epi32(magnitudes, search(magnitude)), sign);
    }
};

template <DType dtype, class Encode>
void quantize(const Quantize4Bit& part, const Encode& encode) {
    const auto find_absmax = [&](int64_t first) {
        part.absmax[first / part.blocksize] = absmax_of_block<dtype>(part.input, first, part.blocksize);
    };
    for_each_span<size_of(dtype)>(part.input, part.n, part.blocksize, part.blocksize, find_absmax, [&](int64_t first) {
        const float absmax = part.absmax[first / part.blocksize];
        const __m256 inverse = _mm256_set1_ps(1.0f / absmax);
        for (int64_t i = first; i < first + part.blocksize; i += 16) {
            const EvenOdd x = load_even_odd<dtype>(part.input, i);
            const __m256i high = encode(_mm256_mul_ps(x.even, inverse));
            const __m256i low = encode(_mm256_mul_ps(x.odd, inverse));
            const __m256i bytes = _mm256_or_si256(_mm256_slli_epi32(high, 4), low);
            _mm_storel_epi64(reinterpret_cast<__m128i*>(part.packed + i / 2), gather_bytes<dtype>(bytes));
        }
    });
}

template <DType dtype>
void quantize(const Quantize4Bit& part) {
    const Encoding4Bit encoding = encoding_of(part);
    if (encoding.signed_magnitude) quantize<dtype>(part, SignedMagnitude(encoding));
    else quantize<dtype>(part, Count(encoding));
}

}  // namespace

void quantize_4bit(const Quantize4Bit& part) {
    if (part.dtype == DType::kFloat32) quantize<DType::kFloat32>(part);
    else if (part.dtype == DType::kFloat16) quantize<DType::kFloat16>(part);
    else quantize<DType::kBFloat16>(part);
}

}  // namespace halfbyte::cpu::avx2
#endif
