// dx = dy * W with AVX2: 8 lanes of 8 codes; the kernels are in the headers, this says how many accumulators they hold.
#if defined(__x86_64__)
#include "matmul_4bit_lanes_avx2.h"
// The kernels are written for the Lanes just defined.
#include "matmul_4bit_transposed_panel.h"
#include "matmul_4bit_transposed_rows.h"

namespace halfbyte::cpu {

const TransposedKernels4Bit kTransposedKernels4BitAvx2 = {kGroup, Lanes::restore, transposed_few_rows, transposed_panel<3>};

}  // namespace halfbyte::cpu
#endif
