#include "matmul_4bit_weight.h"

#include <bit>

#include "core/codebooks.h"
#include "matmul_4bit_ordinary.h"

namespace halfbyte::cpu {

namespace {

void choose_statistics_decoder(Weight4Bit& w, Path path) {
#if defined(__x86_64__)
    if (path >= Path::kAvx2) w.decode_statistics = decode_statistics_avx2;
    if (path >= Path::kAvx512) w.decode_statistics = decode_statistics_avx512;
    if (path >= Path::kAvx512Bf16) {
        w.decode_statistics = decode_statistics_avx512_bf16;
        split_codebook_avx512_bf16(w.nested_codebook, w.planes);
    }
#endif
    (void)w, (void)path;
}

}  // namespace

Weight4Bit weight_4bit(const halfbyte_weight_4bit& weight, Path path) {
    Weight4Bit w;
    w.packed = static_cast<const uint8_t*>(weight.packed);
    w.table = static_cast<const float*>(weight.codebook);
    if (w.table == nullptr) w.table = weight.quant_type == HALFBYTE_QUANT_TYPE_FP4 ? kFp4.data() : kNf4.data();
    w.ordinary_table = is_ordinary_table(w.table);
    w.absmax = nullptr, w.absmax_codes = nullptr, w.decode_statistics = nullptr;
    if (is_nested(weight)) {
        w.absmax_codes = static_cast<const uint8_t*>(weight.absmax);
        w.nested_shift = std::countr_zero(static_cast<uint64_t>(weight.nested_blocksize));
        w.nested_codebook = static_cast<const float*>(weight.nested_codebook);
        w.nested_absmax = static_cast<const float*>(weight.nested_absmax);
        w.nested_offset = weight.nested_offset == nullptr ? 0.0f : *static_cast<const float*>(weight.nested_offset);
        if (w.nested_codebook != nullptr) choose_statistics_decoder(w, path);
    } else {
        w.absmax = static_cast<const float*>(weight.absmax);
    }
    w.block_shift = std::countr_zero(static_cast<uint64_t>(weight.blocksize));
    w.blocks = ceil_div(weight.N * weight.K, weight.blocksize);
    w.N = weight.N;
    w.K = weight.K;
    return w;
}

}  // namespace halfbyte::cpu
