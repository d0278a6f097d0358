// 4-bit quantization, 32 elements at a time.
//
//   absmax = max |x|,  t = float(x) * (1.0f / absmax),  code = number of thresholds below t (FP4: of |t|, then looked up)
//
// Lanes: even elements (high nibbles) in one vector, odd ones (low nibbles) in another, so that lane j of both makes byte j.
// The thresholds sit in registers. NF4's and FP4's are so far apart that one lookup finds the only one that t may have to be
// compared with; closer ones take a binary search of four. Reads 2 or 4 bytes per element, writes 0.5. Aim: the speed of reading
// memory.
#if defined(__x86_64__)
#include "quantize_4bit.h"
#include "simd_avx512.h"
#include "spans.h"

namespace halfbyte::cpu::avx512 {
namespace {

// For |t| <= 1, a little more allowed: 32 cells of equal width. If none holds two thresholds,
//   count = (number of thresholds below the cell) + (t > the threshold in the cell)
struct Cells {
    static constexpr float kScale = 15.4f;          // cells per unit
    static constexpr float kToCell = 0x3p22f + 16;  // adding 1.5 * 2^23 leaves the rounded number in the low bits
    static constexpr double kMargin = 1e-3;         // t * kScale is rounded: a threshold must not be that close to a cell's border

    __m512 thresholds[2];
    __m512i counts[2];
    bool usable = true;

    explicit Cells(const Encoding4Bit& encoding) {
        alignas(64) float threshold_of[32];
        alignas(64) int32_t count_of[32];
        for (int cell = 0; cell < 32; ++cell) {
            threshold_of[cell] = __builtin_inff();
            count_of[cell] = 0;
            int inside = 0;
            for (float threshold : encoding.thresholds) {
                const double place = static_cast<double>(threshold) * static_cast<double>(kScale) + 16.5 - cell;  // 0 to 1: inside
                if (place < 0) ++count_of[cell];
                if (place < -kMargin || place > 1 + kMargin) continue;
                threshold_of[cell] = threshold;
                if (++inside > 1 || place < kMargin || place > 1 - kMargin) usable = false;
            }
        }
        for (int half = 0; half < 2; ++half) {
            thresholds[half] = _mm512_load_ps(threshold_of + 16 * half);
            counts[half] = _mm512_load_si512(count_of + 16 * half);
        }
    }

    __m512i operator()(__m512 t) const {
        const __m512i cell = _mm512_castps_si512(_mm512_fmadd_ps(t, _mm512_set1_ps(kScale), _mm512_set1_ps(kToCell)));
        const __m512 threshold = _mm512_permutex2var_ps(thresholds[0], cell, thresholds[1]);
        const __m512i count = _mm512_permutex2var_epi32(counts[0], cell, counts[1]);
        return _mm512_mask_add_epi32(count, _mm512_cmp_ps_mask(t, threshold, _CMP_GT_OQ), count, _mm512_set1_epi32(1));
    }
};

// For any thresholds. Step s knows that the count is in [i, i + 16 >> s) and compares with the threshold in the middle.
struct Search {
    __m512 steps[4];

    explicit Search(const Encoding4Bit& encoding) {
        for (int s = 0; s < 4; ++s) {
            alignas(64) float table[16] = {};
            for (int i = 0; i < 16; i += 16 >> s) table[i] = encoding.thresholds[i + (8 >> s) - 1];
            steps[s] = s == 0 ? _mm512_set1_ps(table[0]) : _mm512_load_ps(table);
        }
    }

    __m512i operator()(__m512 t) const {
        __m512i i = _mm512_maskz_set1_epi32(_mm512_cmp_ps_mask(t, steps[0], _CMP_GT_OQ), 8);
        for (int s = 1; s < 4; ++s) {
            const __mmask16 above = _mm512_cmp_ps_mask(t, _mm512_permutexvar_ps(i, steps[s]), _CMP_GT_OQ);
            i = _mm512_mask_add_epi32(i, above, i, _mm512_set1_epi32(8 >> s));
        }
        return i;
    }
};

// FP4: the count of |t|, looked up, and the sign.
struct SignedMagnitude {
    Cells count;
    __m512i magnitudes;

    explicit SignedMagnitude(const Encoding4Bit& encoding)
        : count(encoding), magnitudes(_mm512_castsi256_si512(_mm256_loadu_epi32(encoding.magnitudes))) {}

    __m512i operator()(__m512 t) const {
        const __m512i magnitude = _mm512_permutexvar_epi32(count(_mm512_abs_ps(t)), magnitudes);
        const __mmask16 negative = _mm512_cmp_ps_mask(t, _mm512_setzero_ps(), _CMP_LT_OQ);
        return _mm512_mask_or_epi32(magnitude, negative, magnitude, _mm512_set1_epi32(8));
    }
};

template <DType dtype>
void quantize_block_by_reference(const Quantize4Bit& part, int64_t first) {
    constexpr int64_t kSize = size_of(dtype);
    Quantize4Bit block = part;
    block.input = static_cast<const char*>(part.input) + first * kSize;
    block.n = part.blocksize;
    block.packed = part.packed + first / 2;
    block.absmax = part.absmax + first / part.blocksize;
    scalar::quantize_4bit(block);
}

template <DType dtype, class Encode>
void quantize(const Quantize4Bit& part, const Encode& encode) {
    const auto find_absmax = [&](int64_t first) {
        part.absmax[first / part.blocksize] = largest_magnitude<dtype>(part.input, first, part.blocksize);
    };
    for_each_span<size_of(dtype)>(part.input, part.n, part.blocksize, part.blocksize, find_absmax, [&](int64_t first) {
        const float absmax = part.absmax[first / part.blocksize];
        // Zero, subnormal, infinite, or a NaN among the elements: rare, and beyond what Cells handles.
        if (!(absmax >= __FLT_MIN__ && absmax <= __FLT_MAX__)) return quantize_block_by_reference<dtype>(part, first);
        const __m512 inverse = _mm512_set1_ps(1.0f / absmax);
        for (int64_t i = first; i < first + part.blocksize; i += 32) {
            const EvenOdd x = load_even_odd<dtype>(part.input, i);
            const __m512i high = encode(_mm512_mul_ps(x.even, inverse));
            const __m512i low = encode(_mm512_mul_ps(x.odd, inverse));
            const __m512i bytes = _mm512_or_si512(_mm512_slli_epi32(high, 4), low);
            _mm_storeu_si128(reinterpret_cast<__m128i*>(part.packed + i / 2), _mm512_cvtepi32_epi8(bytes));
        }
    });
}

template <DType dtype>
void quantize(const Quantize4Bit& part) {
    const Encoding4Bit encoding = encoding_of(part);
    if (encoding.signed_magnitude) quantize<dtype>(part, SignedMagnitude(encoding));
    else if (const Cells cells(encoding); cells.usable) quantize<dtype>(part, cells);
    else quantize<dtype>(part, Search(encoding));
}

}  // namespace

void quantize_4bit(const Quantize4Bit& part) {
    if (part.dtype == DType::kFloat32) quantize<DType::kFloat32>(part);
    else if (part.dtype == DType::kFloat16) quantize<DType::kFloat16>(part);
    else quantize<DType::kBFloat16>(part);
}

}  // namespace halfbyte::cpu::avx512
#endif
