// y = x * W^T with AVX-512: 16 lanes of 8 codes; the kernels are in the headers, this says how many accumulators they hold.
#if defined(__x86_64__)
#include "matmul_4bit_lanes_avx512.h"
// The kernels are written for the Lanes just defined.
#include "matmul_4bit_panel.h"
#include "matmul_4bit_rows.h"

namespace halfbyte::cpu {
namespace {

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
