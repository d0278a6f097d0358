// A 4-bit weight as the products read it: everything looked up that does not change inside a product.
#pragma once

#include <cstdint>

#include "core/formats.h"
#include "features.h"

namespace halfbyte::cpu {

struct Weight4Bit {
    const uint8_t* packed;
    const float* table;           // [16]
    const float* absmax;          // plain statistics, or null
    const uint8_t* absmax_codes;  // nested statistics, or null
    const float* nested_codebook;
    const float* nested_absmax;
    float nested_offset;
    int block_shift;      // log2 of the block size
    int nested_shift;     // log2 of the number of statistics per nested statistic
    bool ordinary_table;  // the largest magnitude is near 1: see matmul_4bit_ordinary.h
    int64_t blocks;
    int64_t N, K;

    // Nested statistics of blocks [begin, end) as float32, in the path's way.
    void (*decode_statistics)(const Weight4Bit& weight, int64_t begin, int64_t end, float* out);
    alignas(64) uint8_t planes[4][256];  // byte b of every entry of the nested codebook; for AVX512_BF16 only
};

Weight4Bit weight_4bit(const halfbyte_weight_4bit& weight, Path path);

void decode_statistics_avx2(const Weight4Bit& weight, int64_t begin, int64_t end, float* out);
void decode_statistics_avx512(const Weight4Bit& weight, int64_t begin, int64_t end, float* out);
void decode_statistics_avx512_bf16(const Weight4Bit& weight, int64_t begin, int64_t end, float* out);
void split_codebook_avx512_bf16(const float* codebook, uint8_t (&planes)[4][256]);

// Code of flat element i: the high nibble of a byte comes first.
inline int code_of(const Weight4Bit& weight, int64_t i) {
    const int byte = weight.packed[i / 2];
    return i % 2 == 0 ? byte >> 4 : byte & 15;
}

// Statistic of block b.
inline float absmax_of(const Weight4Bit& weight, int64_t b) {
    if (weight.absmax != nullptr) return weight.absmax[b];
    const float value = weight.nested_codebook[weight.absmax_codes[b]] * weight.nested_absmax[b >> weight.nested_shift];
    return value + weight.nested_offset;
}

}  // namespace halfbyte::cpu
