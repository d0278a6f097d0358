#if defined(__x86_64__)
#include "matmul_4bit_lanes_avx512.h"
//
#include "matmul_4bit_panel.h"
#include "matmul_4bit_rows.h"

namespace halfbyte::cpu {
namespace {

void arrange(const float* x, int64_t count, float* arranged, int64_t stride) {
    int64_t done = 0;
    for (; done + kGroup <= count; done += kGroup, arranged += 8 * stride) Lanes::arrange(x + done, arranged, stride);
    if (done == count) return;
    alignas(64) float padded[kGroup] = {};
    for (int64_t i = done; i < count; ++i) padded[i - done] = x[i];
    Lanes::arrange(padded, arranged, stride);
}

void one_row(const Part4Bit& part) {
    if (rows_are_whole_blocks(*part.weight)) one_row<8, AlignedScales>(part);
    else one_row<8, StraddlingScales>(part);
}

// As many rows of the weight at a time as the registers hold accumulators for.
template <template <int, int64_t> class Scales>
void few_rows_with(const Part4Bit& part) {
    if (part.M == 2) few_rows<2, 6, Scales>(part);
    if (part.M == 3) few_rows<3, 4, Scales>(part);
    if (part.M == 4) few_rows<4, 4, Scales>(part);
}

void few_rows(const Part4Bit& part) {
    if (rows_are_whole_blocks(*part.weight)) few_rows_with<AlignedScales>(part);
    else few_rows_with<StraddlingScales>(part);
}

}  // namespace

const Kernels4Bit kKernels4BitAvx512 = {kGroup, 4, arrange, one_row, few_rows, panel<6>};

}  // namespace halfbyte::cpu
#endif
