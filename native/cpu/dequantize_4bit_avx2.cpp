// 4-bit dequantization, 32 elements at a time.
//
//   output[i] = round(codebook[code(i)] * absmax(i / blocksize))
//
// A block has only 16 different outputs. They are computed and rounded once per block; decoding is then a lookup, which is exact by
// construction. AVX2 looks up bytes, so the 16 outputs are cut into planes: all first bytes, all second bytes, and so on. One
// shuffle per plane decodes 32 codes, and interleaving the planes makes the outputs. Interleaving works within the two halves of a
// register, so the codes are first put where that leaves them in order. Half an instruction per element; reads 0.5 bytes per
// element, writes 2 or 4. Aim: the speed of writing memory.
#if defined(__x86_64__)
#include "dequantize_4bit.h"
#include "for_output.h"
#include "simd_avx2.h"

namespace halfbyte::cpu::avx2 {
namespace {

// The codes of 32 elements, in order, from 16 bytes.
__m256i unpack(const uint8_t* packed) {
    const __m128i nibble = _mm_set1_epi8(15);
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(packed));
    const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble);
    const __m128i low = _mm_and_si128(bytes, nibble);
    return _mm256_set_m128i(_mm_unpackhi_epi8(high, low), _mm_unpacklo_epi8(high, low));
}

// Two planes: outputs of 16 bits.
template <DType dtype>
struct Decoder {
    __m256i planes[2];

    Decoder(__m256 low_products, __m256 high_products) {
        const __m128i apart = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
        const __m128i low = _mm_shuffle_epi8(to_16_bits<dtype>(low_products), apart);
        const __m128i high = _mm_shuffle_epi8(to_16_bits<dtype>(high_products), apart);
        planes[0] = _mm256_broadcastsi128_si256(_mm_unpacklo_epi64(low, high));
        planes[1] = _mm256_broadcastsi128_si256(_mm_unpackhi_epi64(low, high));
    }

    template <bool streaming>
    void operator()(const uint8_t* packed, void* output) const {
        const __m256i codes = _mm256_permute4x64_epi64(unpack(packed), _MM_SHUFFLE(3, 1, 2, 0));
        const __m256i first = _mm256_shuffle_epi8(planes[0], codes), second = _mm256_shuffle_epi8(planes[1], codes);
        auto* destination = static_cast<uint16_t*>(output);
        store_256<streaming>(destination, _mm256_unpacklo_epi8(first, second));
        store_256<streaming>(destination + 16, _mm256_unpackhi_epi8(first, second));
    }
};

// Four planes: outputs of 32 bits.
template <>
struct Decoder<DType::kFloat32> {
    __m256i planes[4];

    Decoder(__m256 low_products, __m256 high_products) {
        // Bytes 0 of four outputs, bytes 1, ...: a dword each. A transpose of four such registers joins the dwords of a plane.
        const __m256i apart = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
        const __m256i low = _mm256_shuffle_epi8(_mm256_castps_si256(low_products), apart);    // outputs 0-3 | 4-7
        const __m256i high = _mm256_shuffle_epi8(_mm256_castps_si256(high_products), apart);  // outputs 8-11 | 12-15
        const __m256i even = _mm256_permute2x128_si256(low, high, 0x20), odd = _mm256_permute2x128_si256(low, high, 0x31);
        const __m256i planes_01 = _mm256_unpacklo_epi32(even, odd), planes_23 = _mm256_unpackhi_epi32(even, odd);
        planes[0] = _mm256_permute4x64_epi64(planes_01, _MM_SHUFFLE(2, 0, 2, 0));
        planes[1] = _mm256_permute4x64_epi64(planes_01, _MM_SHUFFLE(3, 1, 3, 1));
        planes[2] = _mm256_permute4x64_epi64(planes_23, _MM_SHUFFLE(2, 0, 2, 0));
        planes[3] = _mm256_permute4x64_epi64(planes_23, _MM_SHUFFLE(3, 1, 3, 1));
    }

    template <bool streaming>
    void operator()(const uint8_t* packed, void* output) const {
        const __m256i codes = _mm256_permutevar8x32_epi32(unpack(packed), _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
        const __m256i first = _mm256_shuffle_epi8(planes[0], codes), second = _mm256_shuffle_epi8(planes[1], codes);
        const __m256i third = _mm256_shuffle_epi8(planes[2], codes), fourth = _mm256_shuffle_epi8(planes[3], codes);
        const __m256i low_halves = _mm256_unpacklo_epi8(first, second), more_low_halves = _mm256_unpackhi_epi8(first, second);
        const __m256i high_halves = _mm256_unpacklo_epi8(third, fourth), more_high_halves = _mm256_unpackhi_epi8(third, fourth);
        auto* destination = static_cast<float*>(output);
        store_256<streaming>(destination, _mm256_unpacklo_epi16(low_halves, high_halves));
        store_256<streaming>(destination + 8, _mm256_unpackhi_epi16(low_halves, high_halves));
        store_256<streaming>(destination + 16, _mm256_unpacklo_epi16(more_low_halves, more_high_halves));
        store_256<streaming>(destination + 24, _mm256_unpackhi_epi16(more_low_halves, more_high_halves));
    }
};

template <DType dtype, bool streaming>
void dequantize(const Dequantize4BitPart& part) {
    const __m256 low = _mm256_loadu_ps(part.codebook), high = _mm256_loadu_ps(part.codebook + 8);
    const Statistics statistics(*part.weight);
    const int64_t blocksize = part.weight->blocksize;
    const uint8_t* packed = static_cast<const uint8_t*>(part.weight->packed);
    constexpr int64_t kSize = size_of(dtype);
    char* const origin = origin_of(part, kSize);
    for_each_block(part, [&](int64_t first, int64_t last) {
        const __m256 absmax = _mm256_set1_ps(statistics[first / blocksize]);
        const Decoder<dtype> decode(_mm256_mul_ps(low, absmax), _mm256_mul_ps(high, absmax));
        for (int64_t i = first; i < last; i += kDequantize4BitRun)
            decode.template operator()<streaming>(packed + i / 2, origin + i * kSize);
    });
    if constexpr (streaming) _mm_sfence();
}

}  // namespace

void dequantize_4bit(const Dequantize4BitPart& part) {
    for_output<32>(part.output, part.dtype, part.streaming,
                   [&]<DType dtype, bool streaming>() { dequantize<dtype, streaming>(part); });
}

}  // namespace halfbyte::cpu::avx2
#endif
