// Row-wise int8 to floating point, AVX2.
//
//   output = codes * absmax * (1.0f / 127.0f), rounded to the output's type
//
// One 32-byte vector of output a step: 8 float32, or 16 of the 16-bit types from two vectors of 8. A row starts anywhere in a
// vector, so its first and last elements may be a partial step, which goes through a buffer. Reads 1 byte per element and writes 2
// or 4, past the caches if the output is large. Limit: memory.
#if defined(__x86_64__)
#include <cstring>

#include "dequantize_int8.h"
#include "x86.h"

namespace halfbyte::cpu {
namespace {

struct Scale {
    __m256 absmax;
    __m256 inverse127;
};

__m256 values(__m128i codes, const Scale& scale) {
    const __m256 code = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes));
    return _mm256_mul_ps(_mm256_mul_ps(code, scale.absmax), scale.inverse127);
}

// The bits of a bfloat16 in the lower half of each lane, to nearest even, for what is no NaN. The processors' own conversions flush
// denormals.
__m256i round_to_bfloat16(__m256 value) {
    const __m256i bits = _mm256_castps_si256(value);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    return _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
}

// One vector of output from the first bytes of `codes`.
struct ToFloat32 {
    using Element = float;
    static __m256i vector(__m128i codes, const Scale& scale) { return _mm256_castps_si256(values(codes, scale)); }
};

struct ToFloat16 {
    using Element = uint16_t;
    static __m256i vector(__m128i codes, const Scale& scale) {
        const __m128i low = _mm256_cvtps_ph(values(codes, scale), _MM_FROUND_TO_NEAREST_INT);
        const __m128i high = _mm256_cvtps_ph(values(_mm_srli_si128(codes, 8), scale), _MM_FROUND_TO_NEAREST_INT);
        return _mm256_set_m128i(high, low);
    }
};

struct ToBFloat16 {
    using Element = uint16_t;
    static __m256i vector(__m128i codes, const Scale& scale) {
        const __m256i low = round_to_bfloat16(values(codes, scale));
        const __m256i high = round_to_bfloat16(values(_mm_srli_si128(codes, 8), scale));
        return _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xd8);
    }
};

template <class To>
void dequantize(const Int8Rows& rows) {
    constexpr int64_t size = sizeof(typename To::Element), step = 32 / size;
    for (int64_t n = 0; n < rows.N; ++n) {
        const int8_t* codes = rows.codes + n * rows.K;
        auto* output = static_cast<typename To::Element*>(rows.output) + n * rows.K;
        if (!(rows.absmax[n] - rows.absmax[n] == 0)) {  // infinite or NaN: the only rows with a NaN
            dequantize_int8_scalar({codes, rows.absmax + n, 1, rows.K, output, rows.dtype, rows.streaming});
            continue;
        }
        const Scale scale = {_mm256_set1_ps(rows.absmax[n]), _mm256_set1_ps(1.0f / 127.0f)};
        const auto partial = [&](int64_t k, int64_t count) {
            alignas(32) int8_t some[16] = {};
            alignas(32) typename To::Element result[step];
            std::memcpy(some, codes + k, static_cast<size_t>(count));
            const __m128i vector = _mm_load_si128(reinterpret_cast<const __m128i*>(some));
            _mm256_store_si256(reinterpret_cast<__m256i*>(result), To::vector(vector, scale));
            std::memcpy(output + k, result, static_cast<size_t>(count * size));
        };
        const auto load = [&](int64_t k) {
            if constexpr (step == 8) return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + k));
            else return _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + k));
        };

        int64_t k = static_cast<int64_t>(-(reinterpret_cast<uintptr_t>(output) / size) % step);
        if (k > rows.K) k = rows.K;
        if (k > 0) partial(0, k);
        if (rows.streaming) {
            for (; k + step <= rows.K; k += step)
                _mm256_stream_si256(reinterpret_cast<__m256i*>(output + k), To::vector(load(k), scale));
        } else {
            for (; k + step <= rows.K; k += step)
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(output + k), To::vector(load(k), scale));
        }
        if (k < rows.K) partial(k, rows.K - k);
    }
    if (rows.streaming) _mm_sfence();
}

}  // namespace

void dequantize_int8_avx2(const Int8Rows& rows) {
    if (rows.dtype == DType::kFloat32) dequantize<ToFloat32>(rows);
    else if (rows.dtype == DType::kFloat16) dequantize<ToFloat16>(rows);
    else dequantize<ToBFloat16>(rows);
}

}  // namespace halfbyte::cpu
#endif
