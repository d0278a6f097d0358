#!/usr/bin/env bash
# What the main loop of a kernel costs per weight, counted from its machine code, and whether that is within its budget.
#
#   native/cuda/sass_budget.sh <cuobjdump> <folder of the objects>
#
# The main loop is, of the loops without another one in them, the one with the most tensor-core instructions. A product of 16 x 8 x 16 is
# 8 weights of each lane. Per weight and lane it prints what is issued, what goes to the pipe of integers and logic (ALU, 64 lanes a
# cycle) and to the one of loads, stores and shuffles (LSU, 32 lanes: an access of 64 bits counts twice, one of 128 bits four times).
# Instructions of the uniform datapath run beside the others and count as issued only. Fails where a budget is exceeded, where the loop
# loads weights in pieces of less than 8 bytes, and where a kernel is not found or has no such loop. Rules for other kernels go below.
#
# A kernel that overlaps the one before it reads nothing by the read-only path (device/ptx/memory.cuh). Which kernels these are needs no
# list: those that wait for the one before, in each source that asks for overlap.
set -euo pipefail

cuobjdump=${1:?cuobjdump}
folder=${2:?the folder of the objects}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# object, architecture, kernel (as a regular expression of its mangled name), and per weight: issued, ALU, LSU
readonly budgets='
matmul_4bit_stream sm_90a stream_kernelILNS0_10StreamKindE0E13__nv_bfloat16Li4ELi256E 1.5 0.7 0.8
matmul_4bit_stream sm_90a stream_kernelILNS0_10StreamKindE0E6__halfLi4ELi256E         1.5 0.7 0.8
matmul_4bit_stream sm_80  stream_kernelILNS0_10StreamKindE0E13__nv_bfloat16Li4ELi256E 1.5 0.7 0.8
matmul_4bit_stream sm_80  stream_kernelILNS0_10StreamKindE0E6__halfLi4ELi256E         1.5 0.7 0.8
matmul_4bit_stream sm_90a stream_kernelILNS0_10StreamKindE0E13__nv_bfloat16Li8ELi256E 1.5 0.7 0.8
matmul_4bit_stream sm_90a stream_kernelILNS0_10StreamKindE0E6__halfLi8ELi256E         1.5 0.7 0.8
matmul_4bit_stream sm_80  stream_kernelILNS0_10StreamKindE0E13__nv_bfloat16Li8ELi256E 1.5 0.7 0.8
matmul_4bit_stream sm_80  stream_kernelILNS0_10StreamKindE0E6__halfLi8ELi256E         1.5 0.7 0.8
matmul_4bit_stream sm_90a stream_kernelILNS0_10StreamKindE1E13__nv_bfloat16Li4ELi256E 1.5 0.7 0.8
matmul_4bit_stream sm_90a stream_kernelILNS0_10StreamKindE1E6__halfLi4ELi256E         1.5 0.7 0.8
matmul_4bit_stream sm_80  stream_kernelILNS0_10StreamKindE1E13__nv_bfloat16Li4ELi256E 1.5 0.7 0.8
matmul_4bit_stream sm_80  stream_kernelILNS0_10StreamKindE1E6__halfLi4ELi256E         1.5 0.7 0.8
matmul_4bit_stream sm_90a stream_kernelILNS0_10StreamKindE1E13__nv_bfloat16Li8ELi256E 1.5 0.7 0.8
matmul_4bit_stream sm_90a stream_kernelILNS0_10StreamKindE1E6__halfLi8ELi256E         1.5 0.7 0.8
matmul_4bit_stream sm_80  stream_kernelILNS0_10StreamKindE1E13__nv_bfloat16Li8ELi256E 1.5 0.7 0.8
matmul_4bit_stream sm_80  stream_kernelILNS0_10StreamKindE1E6__halfLi8ELi256E         1.5 0.7 0.8
'
# object, architecture, kernel: each that matches must contain warpgroup products
readonly must_have_wgmma='
matmul_4bit_wgmma            sm_90a matmul_4bit_wgmma_kernel
matmul_4bit_transposed_wgmma sm_90a matmul_4bit_transposed_wgmma_kernel
matmul_16bit_wgmma           sm_90a matmul_16bit_wgmma_kernel
'
# object, architecture, kernel, instruction: no kernel that matches may contain it. A trap stands where a wrapper of device/ptx has no
# instruction for the architecture: none may be left in what the launcher chooses there.
readonly must_not_have='
matmul_4bit_stream sm_75  stream_kernelI.*6__half.*Li128EEEv ^BPT.TRAP
matmul_4bit_stream sm_80  stream_kernelI.*Li256EEEv         ^BPT.TRAP
matmul_4bit_stream sm_86  stream_kernelI.*Li128EEEv         ^BPT.TRAP
matmul_4bit_mma    sm_75  mma_kernelI6__half                ^BPT.TRAP
matmul_int8_mma    sm_75  mma_kernelI                       ^BPT.TRAP
matmul_4bit_transposed_mma sm_75 mma_kernelI6__half         ^BPT.TRAP
'

# Prints the name of a file with the machine code of an object for an architecture. Each is taken apart once.
code_of() {
    local code=$scratch/$1.$2
    [[ -e $code ]] || "$cuobjdump" --dump-sass --gpu-architecture "$2" "$folder/$1.o" >"$code"
    printf '%s' "$code"
}

# Prints the counts of the first kernel that matches; what it prints ends with "ok" or with what is wrong.
count() {
    awk -v kernel="$1" -v most_issued="$2" -v most_alu="$3" -v most_lsu="$4" '
        /Function : / { if (here) exit; here = $0 ~ kernel }
        here && match($0, /^[ \t]+\/\*[0-9a-f]+\*\/[ \t]+/) {
            address = $1; gsub(/[^0-9a-f]/, "", address); sub(/^0+/, "", address)
            text = substr($0, RLENGTH + 1); sub(/;.*/, "", text)
            n++; at[address] = n
            if (match(text, /^@!?U?P[0-9T]+[ \t]+/)) text = substr(text, RLENGTH + 1)
            split(text, words, /[ \t]+/); what[n] = words[1]
            if (words[1] ~ /^BRA/ && match(text, /0x[0-9a-f]+/)) {
                target = substr(text, RSTART + 2, RLENGTH - 2)
                sub(/^0+/, "", target)
                if (target in at) { loops++; first[loops] = at[target]; last[loops] = n }
            }
        }
        END {
            if (!n) { print "not found"; exit }
            for (l = 1; l <= loops; l++) {
                products = 0
                for (k = first[l]; k <= last[l]; k++) products += what[k] ~ /^HMMA/
                for (o = 1; o <= loops; o++) if (o != l && first[o] >= first[l] && last[o] <= last[l]) products = 0
                if (products > most) { most = products; main = l }
            }
            if (!main) { print "no loop with tensor-core instructions"; exit }
            for (k = first[main]; k <= last[main]; k++) {
                issued++
                width = what[k] ~ /\.128/ ? 4 : what[k] ~ /\.64/ ? 2 : 1
                if (what[k] ~ /^(LDS|LDG|STS|STG|LDSM|LDL|STL|LD|ST|SHFL|ATOM|RED|LDGSTS)(\.|$)/) lsu += width
                if (what[k] ~ /^(LOP3|PRMT|SHF|IADD3?|VIADD|VIADDMNMX|ISETP|SEL|LEA|IMNMX|VIMNMX|FSETP|FMNMX|FSEL|PLOP3|MOV|SGXT|BMSK|IABS|P2R|R2P)(\.|$)/) alu++
                if (what[k] ~ /^LDG/ && what[k] ~ /\.NA/ && width == 1) narrow++
            }
            weights = most * 8
            printf "%4d instructions, %3d products, per weight %.3f issued %.3f ALU %.3f LSU  ", issued, most, issued / weights, alu / weights, lsu / weights
            wrong = ""
            if (issued / weights > most_issued) wrong = wrong " more than " most_issued " issued"
            if (alu / weights > most_alu) wrong = wrong " more than " most_alu " ALU"
            if (lsu / weights > most_lsu) wrong = wrong " more than " most_lsu " LSU"
            if (narrow) wrong = wrong " loads weights in less than 8 bytes"
            print wrong == "" ? "ok" : "WRONG:" wrong
        }'
}

status=0
while read -r object architecture kernel issued alu lsu; do
    [[ -n $object ]] || continue
    line=$(count "$kernel" "$issued" "$alu" "$lsu" <"$(code_of "$object" "$architecture")")
    printf '%-7s %s: %s\n' "$architecture" "$kernel" "$line"
    [[ $line == *ok ]] || status=1
done <<<"$budgets"
while read -r object architecture kernel; do
    [[ -n $object ]] || continue
    awk -v kernel="$kernel" -v architecture="$architecture" '
        function finish() { if (here) { kernels++; if (!products) without++ } }
        /Function : / { finish(); here = $0 ~ kernel; products = 0 }
        here && /[HI]GMMA/ { products++ }
        END {
            finish()
            printf "%-7s %s: %d kernels, %d of them without warpgroup products\n", architecture, kernel, kernels, without
            exit !kernels || without
        }' "$(code_of "$object" "$architecture")" || status=1
done <<<"$must_have_wgmma"
while read -r object architecture kernel instruction; do
    [[ -n $object ]] || continue
    awk -v kernel="$kernel" -v architecture="$architecture" -v instruction="$instruction" '
        /Function : / { here = $0 ~ kernel; kernels += here }
        here && match($0, /^[ \t]+\/\*[0-9a-f]+\*\/[ \t]+/) {
            text = substr($0, RLENGTH + 1)
            if (match(text, /^@!?U?P[0-9T]+[ \t]+/)) text = substr(text, RLENGTH + 1)
            found += text ~ instruction
        }
        END {
            printf "%-7s %s: %d kernels, %d times %s\n", architecture, kernel, kernels, found, instruction
            exit !kernels || found
        }' "$(code_of "$object" "$architecture")" || status=1
done <<<"$must_not_have"
# ACQBULK is griddepcontrol.wait. Where a source asks for overlap and no kernel has it, the instruction has got another name.
overlapping=$(grep -l overlaps_predecessor "$(dirname "$0")"/*.cu)
for source in $overlapping; do
    object=$(basename "$source" .cu)
    awk -v object="$object" '
        function finish() { kernels += waits; wrong += waits && read_only }
        /Function : / { finish(); waits = read_only = 0 }
        /[ \t]ACQBULK/ { waits = 1 }
        /[ \t]LDG[^ ]*\.CONSTANT/ { read_only = 1 }
        END {
            finish()
            printf "sm_90a  %s: %d kernels overlap the one before, %d of them read by the read-only path\n", object, kernels, wrong
            exit !kernels || wrong
        }' "$(code_of "$object" sm_90a)" || status=1
done
exit "$status"
