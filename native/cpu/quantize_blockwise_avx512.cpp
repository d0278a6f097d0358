// Blockwise 8-bit quantization, 128 elements at a time.
//
//   absmax = max |x|,  t = float(x) * (1.0f / absmax),  code = number of the 255 thresholds below t
//
// Lanes: even elements in one vector, odd ones in another; their codes meet in the bytes of a word.
// A binary search of eight steps, for eight vectors side by side because each step waits for the one before. All thresholds sit in
// registers: step s chooses among 2^s of them by the outcomes of the steps before, which take one permutation for up to 16, one of
// two registers for 32, and permutations and blends for 64 and 128. Two to three instructions per element; reads 2 or 4 bytes per
// element, writes 1. Aim: half the speed of reading float32.
#if defined(__x86_64__)
#include "quantize_blockwise.h"
#include "simd_avx512.h"
#include "spans.h"

namespace halfbyte::cpu::avx512 {
namespace {

// Outcome s sets bit s of an index, so the thresholds of a step are stored by the outcomes before it in reversed order.
struct ReversedBits {
    uint8_t of_7[128];

    constexpr ReversedBits() : of_7() {
        for (int i = 0; i < 128; ++i)
            for (int b = 0; b < 7; ++b) of_7[i] = static_cast<uint8_t>(of_7[i] | (i >> b & 1) << (6 - b));
    }
    constexpr int operator()(int bits, int count) const { return of_7[bits] >> (7 - count); }
};
constexpr ReversedBits reversed;

class Search {
   public:
    explicit Search(const BlockwiseThresholds& thresholds) {
        for (int s = 0; s < 8; ++s) {
            alignas(64) float table[128] = {};
            const int left = 256 >> s;  // counts that are still possible
            for (int i = 0; i < 1 << s; ++i) table[i] = thresholds.values[reversed(i, s) * left + left / 2 - 1];
            if (s < 5) small_[s] = s == 0 ? _mm512_set1_ps(table[0]) : _mm512_load_ps(table);
            for (int i = 0; i < 2 && s == 5; ++i) step5_[i] = _mm512_load_ps(table + 16 * i);
            for (int i = 0; i < 4 && s == 6; ++i) step6_[i] = _mm512_load_ps(table + 16 * i);
            for (int i = 0; i < 8 && s == 7; ++i) step7_[i] = _mm512_load_ps(table + 16 * i);
        }
        alignas(64) int32_t count[32];
        for (int i = 0; i < 32; ++i) count[i] = reversed(i, 5) * 8;
        for (int i = 0; i < 2; ++i) counts_[i] = _mm512_load_si512(count + 16 * i);
    }

    template <int vectors>
    void operator()(const __m512 (&t)[vectors], __m512i (&codes)[vectors]) const {
        __m512i i[vectors];
        for (int v = 0; v < vectors; ++v) i[v] = _mm512_maskz_set1_epi32(above(t[v], small_[0]), 1);
        for (int s = 1; s < 5; ++s)
            for (int v = 0; v < vectors; ++v) i[v] = set(i[v], above(t[v], _mm512_permutexvar_ps(i[v], small_[s])), 1 << s);
        // Bits 5 and 6 of the index are not needed as bits: the outcomes themselves choose between registers.
        for (int v = 0; v < vectors; ++v) {
            codes[v] = _mm512_permutex2var_epi32(counts_[0], i[v], counts_[1]);
            const __mmask16 outcome5 = above(t[v], lookup(step5_, i[v]));
            codes[v] = set(codes[v], outcome5, 4);
            const __mmask16 outcome6 = above(t[v], lookup(step6_, i[v], outcome5));
            codes[v] = set(codes[v], outcome6, 2);
            const __m512 low = lookup(step7_, i[v], outcome5), high = lookup(step7_ + 4, i[v], outcome5);
            codes[v] = set(codes[v], above(t[v], _mm512_mask_mov_ps(low, outcome6, high)), 1);
        }
    }

   private:
    static __mmask16 above(__m512 t, __m512 threshold) { return _mm512_cmp_ps_mask(t, threshold, _CMP_GT_OQ); }

    static __m512i set(__m512i bits, __mmask16 where, int bit) {
        return _mm512_mask_or_epi32(bits, where, bits, _mm512_set1_epi32(bit));
    }

    static __m512 lookup(const __m512* table, __m512i i) { return _mm512_permutex2var_ps(table[0], i, table[1]); }

    static __m512 lookup(const __m512* table, __m512i i, __mmask16 upper) {
        return _mm512_mask_mov_ps(lookup(table, i), upper, lookup(table + 2, i));
    }

    __m512 small_[5], step5_[2], step6_[4], step7_[8];
    __m512i counts_[2];
};

template <DType dtype>
void quantize_block_by_reference(const QuantizeBlockwise& part, int64_t first) {
    constexpr int64_t kSize = size_of(dtype);
    QuantizeBlockwise block = part;
    block.input = static_cast<const char*>(part.input) + first * kSize;
    block.n = part.blocksize;
    block.codes = part.codes + first;
    block.absmax = part.absmax + first / part.blocksize;
    scalar::quantize_blockwise(block);
}

template <DType dtype>
void quantize(const QuantizeBlockwise& part, const BlockwiseThresholds& thresholds) {
    constexpr int kPairs = kBlockwiseUnit / 32;
    const Search search(thresholds);
    const int64_t span = part.blocksize < kBlockwiseUnit ? kBlockwiseUnit : part.blocksize;
    const auto find_absmax = [&](int64_t first) {
        part.absmax[first / part.blocksize] = largest_magnitude<dtype>(part.input, first, part.blocksize);
    };
    for_each_span<size_of(dtype)>(part.input, part.n, part.blocksize, span, find_absmax, [&](int64_t first) {
        for (int64_t i = first; i < first + span; i += kBlockwiseUnit) {
            __m512 t[2 * kPairs];
            __m512i codes[2 * kPairs];
            for (int p = 0; p < kPairs; ++p) {  // blocks may be as short as a pair
                const __m512 inverse = _mm512_set1_ps(1.0f / part.absmax[(i + 32 * p) / part.blocksize]);
                const EvenOdd x = load_even_odd<dtype>(part.input, i + 32 * p);
                t[2 * p] = _mm512_mul_ps(x.even, inverse);
                t[2 * p + 1] = _mm512_mul_ps(x.odd, inverse);
            }
            search(t, codes);
            for (int p = 0; p < kPairs; ++p) {
                const __m512i words = _mm512_or_si512(codes[2 * p], _mm512_slli_epi32(codes[2 * p + 1], 16));
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(part.codes + i + 32 * p), _mm512_cvtepi16_epi8(words));
            }
        }
        for (int64_t i = first; i < first + span; i += part.blocksize) {
            const float absmax = part.absmax[i / part.blocksize];
            if (absmax != absmax) quantize_block_by_reference<dtype>(part, i);  // a NaN among the elements: rare
        }
    });
}

}  // namespace

void quantize_blockwise(const QuantizeBlockwise& part, const BlockwiseThresholds& thresholds) {
    if (part.dtype == DType::kFloat32) quantize<DType::kFloat32>(part, thresholds);
    else if (part.dtype == DType::kFloat16) quantize<DType::kFloat16>(part, thresholds);
    else quantize<DType::kBFloat16>(part, thresholds);
}

}  // namespace halfbyte::cpu::avx512
#endif
