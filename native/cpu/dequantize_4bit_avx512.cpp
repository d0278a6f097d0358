// 4-bit dequantization, 64 bytes of output at a time.
//
//   output[i] = round(codebook[code(i)] * absmax(i / blocksize))
//
// A block has only 16 different outputs. They are computed and rounded once per block and kept in a register; decoding is then a
// lookup, which is exact by construction. Lanes: each output lane first gets the byte its code is in, shifted right by 4 for even
// elements. What is left above the nibble does not matter: a lookup takes 4 bits of an index, or 5 in a table that is there twice.
// A quarter of an instruction per element; reads 0.5 bytes per element, writes 2 or 4. Aim: the speed of writing memory.
#if defined(__x86_64__)
#include "dequantize_4bit.h"
#include "for_output.h"
#include "simd_avx512.h"

namespace halfbyte::cpu::avx512 {
namespace {

// 32 outputs of 16 bits from 16 bytes of codes.
template <DType dtype>
struct Decoder {
    static constexpr int kElements = 32;
    const __m512i shifts = _mm512_set1_epi32(4);  // words alternate between 4 and 0
    __m512i spread;                               // dword j: byte j in both words

    Decoder() {
        const __m512i j = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        spread = _mm512_or_si512(j, _mm512_slli_epi32(j, 16));
    }

    static __m512i table_of(__m512 products) {
        const __m256i words = to_16_bits<dtype>(products);
        return _mm512_inserti64x4(_mm512_castsi256_si512(words), words, 1);
    }

    __m512i operator()(const uint8_t* packed, __m512i table) const {
        const __m512i bytes = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(packed)));
        return _mm512_permutexvar_epi16(_mm512_srlv_epi16(_mm512_shuffle_epi8(bytes, spread), shifts), table);
    }
};

// 16 outputs of 32 bits from 8 bytes of codes.
template <>
struct Decoder<DType::kFloat32> {
    static constexpr int kElements = 16;
    const __m512i shifts = _mm512_set1_epi64(4);  // dwords alternate between 4 and 0
    const __m512i spread = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);

    static __m512i table_of(__m512 products) { return _mm512_castps_si512(products); }

    __m512i operator()(const uint8_t* packed, __m512i table) const {
        const __m512i bytes = _mm512_broadcastq_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(packed)));
        return _mm512_permutexvar_epi32(_mm512_srlv_epi32(_mm512_shuffle_epi8(bytes, spread), shifts), table);
    }
};

template <DType dtype, bool streaming>
void dequantize(const Dequantize4BitPart& part) {
    const Decoder<dtype> decode;
    const __m512 codebook = _mm512_loadu_ps(part.codebook);
    const Statistics statistics(*part.weight);
    const int64_t blocksize = part.weight->blocksize;
    const uint8_t* packed = static_cast<const uint8_t*>(part.weight->packed);
    char* const origin = origin_of(part, 64 / decode.kElements);
    for_each_block(part, [&](int64_t first, int64_t last) {
        const __m512i table = decode.table_of(_mm512_mul_ps(codebook, _mm512_set1_ps(statistics[first / blocksize])));
        for (int64_t i = first; i < last; i += decode.kElements)
            store_512<streaming>(origin + i * (64 / decode.kElements), decode(packed + i / 2, table));
    });
    if constexpr (streaming) _mm_sfence();
}

}  // namespace

void dequantize_4bit(const Dequantize4BitPart& part) {
    for_output<64>(part.output, part.dtype, part.streaming,
                   [&]<DType dtype, bool streaming>() { dequantize<dtype, streaming>(part); });
}

}  // namespace halfbyte::cpu::avx512
#endif
