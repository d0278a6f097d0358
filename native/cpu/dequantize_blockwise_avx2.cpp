// Blockwise 8-bit dequantization, 16 elements at a time.
//
//   output[i] = round(codebook[codes[i]] * absmax[i / blocksize])
//
// Lanes are elements in order. The codebook, 1 KiB, is read from the first cache one value at a time: that is as fast as a gather
// at its best, and processors differ widely in theirs. Reads 1 byte per element, writes 2 or 4. Aim: one element per cycle.
#if defined(__x86_64__)
#include "dequantize_blockwise.h"
#include "for_output.h"
#include "simd_avx2.h"

namespace halfbyte::cpu::avx2 {
namespace {

__m256 lookup_8(const float* table, const uint8_t* codes) {
    return _mm256_setr_ps(table[codes[0]], table[codes[1]], table[codes[2]], table[codes[3]], table[codes[4]], table[codes[5]],
                          table[codes[6]], table[codes[7]]);
}

template <DType dtype, bool streaming>
void dequantize(const DequantizeBlockwisePart& part) {
    const DequantizeBlockwise& op = *part.op;
    for (int64_t i = part.first; i < part.last; i += 16) {
        const __m256 absmax = _mm256_set1_ps(op.absmax[i / op.blocksize]);
        const __m256 low = _mm256_mul_ps(lookup_8(part.codebook, op.codes + i), absmax);
        const __m256 high = _mm256_mul_ps(lookup_8(part.codebook, op.codes + i + 8), absmax);
        store_16<dtype, streaming>(op.output, i, low, high);
    }
    if constexpr (streaming) _mm_sfence();
}

}  // namespace

void dequantize_blockwise(const DequantizeBlockwisePart& part) {
    for_output<32>(part.op->output, part.op->dtype, part.streaming,
                   [&]<DType dtype, bool streaming>() { dequantize<dtype, streaming>(part); });
}

}  // namespace halfbyte::cpu::avx2
#endif
