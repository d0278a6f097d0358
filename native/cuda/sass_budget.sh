#!/usr/bin/env bash
# What the main loop of a kernel costs per weight, counted from the machine code, and whether that is within its budget.
#
#   native/cuda/sass_budget.sh <cuobjdump> <folder of the objects>
#
# A kernel's main loop is, of the innermost loops, the one with the most tensor-core instructions. Per weight and lane it prints what is
# issued, what goes to the pipe of integer and logic instructions (ALU: 64 lanes a cycle on sm_80 and sm_90) and what to the one of loads,
# stores and shuffles (LSU: 32 lanes; an access of 64 bits counts twice, one of 128 bits four times). Code on rare branches inside the
# loop counts as if it ran. Fails where a budget or a rule below is broken, and where a kernel that has one is not found.
set -euo pipefail

cuobjdump=${1:?cuobjdump}
folder=${2:?the folder of the objects}

# object, kernel and its first template arguments, architecture; weights a lane takes part in per HMMA, as HMMA come: a product of 16 x 16
# weights for each group of eight rows of x is 8 / groups. The budget: issued, ALU, LSU per weight.
readonly budgets='
matmul_4bit_stream  matmul_4bit_stream_kernel<(StreamKind)0, __nv_bfloat16, 1, 256>  sm_90a  8  1.5  0.7  0.8
matmul_4bit_stream  matmul_4bit_stream_kernel<(StreamKind)0, __half, 1, 256>         sm_90a  8  1.5  0.7  0.8
matmul_4bit_stream  matmul_4bit_stream_kernel<(StreamKind)0, __nv_bfloat16, 1, 256>  sm_80   8  1.5  0.7  0.8
matmul_4bit_stream  matmul_4bit_stream_kernel<(StreamKind)0, __half, 1, 256>         sm_80   8  1.5  0.7  0.8
'
