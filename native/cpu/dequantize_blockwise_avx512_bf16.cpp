// Blockwise 8-bit dequantization, 64 elements at a time, by looking up bytes.
//
//   output[i] = round(codebook[codes[i]] * absmax[i / blocksize])
//
// The codebook is cut into four planes of 256 bytes: the first bytes of all values, the second bytes, and so on. VBMI chooses among
// 128 bytes for 64 codes at once, so a plane takes two permutations and a blend. Interleaving the planes makes the values again. It
// works within the quarters of a register, so the codes are first put where that leaves the values in order.
// Half an instruction per element for the values, as much again to scale and round; reads 1 byte per element, writes 2 or 4.
// Aim: the speed of writing memory.
#if defined(__x86_64__)
#include "dequantize_blockwise.h"
#include "for_output.h"
#include "simd_avx512.h"

namespace halfbyte::cpu::avx512_bf16 {
namespace {

struct Table {
    __m512i planes[4][4];
    __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);

    explicit Table(const float* codebook) {
        alignas(64) uint8_t bytes[4][256];
        const uint8_t* source = reinterpret_cast<const uint8_t*>(codebook);
        for (int i = 0; i < 1024; ++i) bytes[i % 4][i / 4] = source[i];
        for (int p = 0; p < 4; ++p)
            for (int i = 0; i < 4; ++i) planes[p][i] = _mm512_load_si512(bytes[p] + 64 * i);
    }

    // values[j] holds the values of codes 16 j to 16 j + 15.
    void operator()(const uint8_t* source, __m512 (&values)[4]) const {
        const __m512i codes = _mm512_permutexvar_epi32(order, _mm512_loadu_si512(source));
        const __mmask64 upper = _mm512_movepi8_mask(codes);
        __m512i bytes[4];
        for (int p = 0; p < 4; ++p) {
            const __m512i low = _mm512_permutex2var_epi8(planes[p][0], codes, planes[p][1]);
            const __m512i high = _mm512_permutex2var_epi8(planes[p][2], codes, planes[p][3]);
            bytes[p] = _mm512_mask_mov_epi8(low, upper, high);
        }
        const __m512i low_words[2] = {_mm512_unpacklo_epi8(bytes[0], bytes[1]), _mm512_unpackhi_epi8(bytes[0], bytes[1])};
        const __m512i high_words[2] = {_mm512_unpacklo_epi8(bytes[2], bytes[3]), _mm512_unpackhi_epi8(bytes[2], bytes[3])};
        for (int j = 0; j < 2; ++j) {
            values[2 * j] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(low_words[j], high_words[j]));
            values[2 * j + 1] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(low_words[j], high_words[j]));
        }
    }
};

template <DType dtype, bool streaming>
void dequantize(const DequantizeBlockwisePart& part) {
    const Table table(part.codebook);
    const DequantizeBlockwise& op = *part.op;
    for (int64_t i = part.first; i < part.last; i += 64) {
        __m512 values[4];
        table(op.codes + i, values);
        const __m512 absmax = _mm512_set1_ps(op.absmax[i / op.blocksize]);
        const __m512 next = _mm512_set1_ps(op.absmax[(i + 32) / op.blocksize]);  // another block if blocks have 32 elements
        store_32<dtype, streaming>(op.output, i, _mm512_mul_ps(values[0], absmax), _mm512_mul_ps(values[1], absmax));
        store_32<dtype, streaming>(op.output, i + 32, _mm512_mul_ps(values[2], next), _mm512_mul_ps(values[3], next));
    }
    if constexpr (streaming) _mm_sfence();
}

}  // namespace

void dequantize_blockwise(const DequantizeBlockwisePart& part) {
    for_output<64>(part.op->output, part.op->dtype, part.streaming,
                   [&]<DType dtype, bool streaming>() { dequantize<dtype, streaming>(part); });
}

}  // namespace halfbyte::cpu::avx512_bf16
#endif
