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

void rows(const Part4Bit& part) {
    if (part.M == 1) one_row<8>(part);
    if (part.M == 2) few_rows<2, 4>(part);
    if (part.M == 3) few_rows<3, 3>(part);
    if (part.M == 4) few_rows<4, 2>(part);
}

}  // namespace

const Kernels4Bit kKernels4BitAvx512 = {kGroup, arrange, rows, panel<6>};

}  // namespace halfbyte::cpu
#endif
