// Row-wise int8 to floating point, AVX-512.
//
//   output = codes * absmax * (1.0f / 127.0f), rounded to the output's type
//
// One 64-byte line of output a step: 16 float32, or 32 of the 16-bit types from two vectors of 16. A row starts anywhere in a
// line, so its first and last step may be partial. Reads 1 byte per element and writes 2 or 4, past the caches if the output is
// large. Limit: memory.
#if defined(__x86_64__)
#include "dequantize_int8.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

struct Scale {
    __m512 absmax;
    __m512 inverse127;
};

__m512 values(__m128i codes, const Scale& scale) {
    const __m512 code = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes));
    return _mm512_mul_ps(_mm512_mul_ps(code, scale.absmax), scale.inverse127);
}

// The bits of a bfloat16 in the upper half of each lane, to nearest even, for what is no NaN. The processor's own conversion
// flushes denormals.
__m512i round_to_bfloat16(__m512 value) {
    const __m512i bits = _mm512_castps_si512(value);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    return _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
}

// One line of output from the first bytes of `codes`.
struct ToFloat32 {
    using Element = float;
    static __m512i line(__m512i codes, const Scale& scale) {
        return _mm512_castps_si512(values(_mm512_castsi512_si128(codes), scale));
    }
    static void store(Element* to, uint64_t mask, __m512i line) {
        _mm512_mask_storeu_epi32(to, static_cast<__mmask16>(mask), line);
    }
};

struct ToFloat16 {
    using Element = uint16_t;
    static __m512i line(__m512i codes, const Scale& scale) {
        const __m256i low = _mm512_cvtps_ph(values(_mm512_castsi512_si128(codes), scale), _MM_FROUND_TO_NEAREST_INT);
        const __m256i high = _mm512_cvtps_ph(values(_mm512_extracti32x4_epi32(codes, 1), scale), _MM_FROUND_TO_NEAREST_INT);
        return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }
    static void store(Element* to, uint64_t mask, __m512i line) {
        _mm512_mask_storeu_epi16(to, static_cast<__mmask32>(mask), line);
    }
};

struct ToBFloat16 : ToFloat16 {
    static __m512i line(__m512i codes, const Scale& scale) {
        alignas(64) static constexpr uint16_t kUpperHalves[32] = {1,  3,  5,  7,  9,  11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31,
                                                                  33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63};
        const __m512i low = round_to_bfloat16(values(_mm512_castsi512_si128(codes), scale));
        const __m512i high = round_to_bfloat16(values(_mm512_extracti32x4_epi32(codes, 1), scale));
        return _mm512_permutex2var_epi16(low, _mm512_load_si512(kUpperHalves), high);
    }
};

template <class To>
void dequantize(const Int8Rows& rows) {
    constexpr int64_t step = 64 / sizeof(typename To::Element);
    for (int64_t n = 0; n < rows.N; ++n) {
        const int8_t* codes = rows.codes + n * rows.K;
        auto* output = static_cast<typename To::Element*>(rows.output) + n * rows.K;
        if (!(rows.absmax[n] - rows.absmax[n] == 0)) {  // infinite or NaN: the only rows with a NaN
            dequantize_int8_scalar({codes, rows.absmax + n, 1, rows.K, output, rows.dtype, rows.streaming});
            continue;
        }
        const Scale scale = {_mm512_set1_ps(rows.absmax[n]), _mm512_set1_ps(1.0f / 127.0f)};
        const auto partial = [&](int64_t k, int64_t count) {
            const uint64_t mask = (uint64_t{1} << count) - 1;
            To::store(output + k, mask, To::line(_mm512_maskz_loadu_epi8(mask, codes + k), scale));
        };
        const auto load = [&](int64_t k) {
            if constexpr (step == 16) return _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + k)));
            else return _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + k)));
        };

        int64_t k = static_cast<int64_t>(-(reinterpret_cast<uintptr_t>(output) / sizeof(typename To::Element)) % step);
        if (k > rows.K) k = rows.K;
        if (k > 0) partial(0, k);
        if (rows.streaming) {
            for (; k + step <= rows.K; k += step)
                _mm512_stream_si512(reinterpret_cast<__m512i*>(output + k), To::line(load(k), scale));
        } else {
            for (; k + step <= rows.K; k += step) _mm512_storeu_si512(output + k, To::line(load(k), scale));
        }
        if (k < rows.K) partial(k, rows.K - k);
    }
    if (rows.streaming) _mm_sfence();
}

}  // namespace

void dequantize_int8_avx512(const Int8Rows& rows) {
    if (rows.dtype == DType::kFloat32) dequantize<ToFloat32>(rows);
    else if (rows.dtype == DType::kFloat16) dequantize<ToFloat16>(rows);
    else dequantize<ToBFloat16>(rows);
}

}  // namespace halfbyte::cpu
#endif
