#if defined(__x86_64__)
#include "matmul_4bit_lanes_avx512.h"
//
#include "matmul_4bit_transposed_panel.h"
#include "matmul_4bit_transposed_rows.h"

namespace halfbyte::cpu {
namespace {

void few_rows(const TransposedPart4Bit& part) {
    if (part.M == 1) transposed_few_rows<1>(part);
    if (part.M == 2) transposed_few_rows<2>(part);
    if (part.M == 3) transposed_few_rows<3>(part);
}

}  // namespace

const TransposedKernels4Bit kTransposedKernels4BitAvx512 = {kGroup, Lanes::restore, few_rows, transposed_panel<6>};

}  // namespace halfbyte::cpu
#endif
