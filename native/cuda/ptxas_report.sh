#!/usr/bin/env bash
# What the compiler made of each kernel, from the *.ptxas files that nvcc.sh keeps, and whether that is acceptable.
#
#   native/cuda/ptxas_report.sh <folder> <library>
#
# Writes <folder>/ptxas.tsv, a line per kernel and architecture, and prints a line per kernel: registers on each architecture, static
# shared memory (what launches ask for on top is printed by emulation_tests), bytes of stack and of spills. Fails where a kernel spills
# registers, where the compiler serializes a kernel's asynchronous products, and where <library> is larger than it may be.
set -euo pipefail

# Kernels that may spill, as a regular expression of their names, each with its reason.
readonly may_spill='^$'
# All architectures together; people download it.
readonly megabytes=24

folder=${1:?the folder of the .ptxas files}
library=${2:?the library}
mapfile -t files < <(find "$folder" -name '*.o.ptxas' | sort)
((${#files[@]} > 0)) || {
    echo "ptxas_report: no *.o.ptxas in $folder" >&2
    exit 1
}
table=$folder/ptxas.tsv

# kernel, architecture, registers, static shared memory, stack, spills (stores + loads)
awk -v OFS='\t' '
    /Compiling entry function/ {
        split($0, quoted, "\x27")
        name = quoted[2]; architecture = quoted[4]; stack = spills = 0
    }
    /bytes stack frame/ { stack = $1; spills = $5 + $9 }
    /Used [0-9]+ registers/ {
        shared = 0
        if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
        match($0, /Used [0-9]+/)
        print name, architecture, substr($0, RSTART + 5, RLENGTH - 5), shared, stack, spills
    }' "${files[@]}" | c++filt |
    sed -E 's/^void //; s/halfbyte::cuda:://g; s/\(anonymous namespace\):://g; s/^([^\t]*>)\([^\t]*\)\t/\1\t/; s/^([^<\t]*)\([^\t]*\)\t/\1\t/' |
    sort -t $'\t' -k1,1 -k2,2 >"$table"

awk -F '\t' '
    !($1 in at) { at[$1] = ++kernels; names[kernels] = $1; if (length($1) > width) width = length($1) }
    !($2 in known) { known[$2] = 1; order[++architectures] = $2 }
    { registers[$1, $2] = $3; shared[$1] = $4; if ($5 > stack[$1]) stack[$1] = $5; if ($6 > spills[$1]) spills[$1] = $6 }
    END {
        for (i = 1; i <= architectures; i++)  # by name; there are few
            for (j = i + 1; j <= architectures; j++)
                if (order[j] < order[i]) { swap = order[i]; order[i] = order[j]; order[j] = swap }
        printf "%-*s  registers", width, "kernel"
        for (i = 1; i <= architectures; i++) printf " %6s", order[i]
        print "   shared  stack  spills"
        for (k = 1; k <= kernels; k++) {
            printf "%-*s           ", width, names[k]
            for (i = 1; i <= architectures; i++) printf " %6s", registers[names[k], order[i]]
            printf "   %6d %6d  %6d\n", shared[names[k]], stack[names[k]], spills[names[k]]
        }
    }' "$table"

status=0
if ! awk -F '\t' -v may="$may_spill" '$6 > 0 && $1 !~ may { print "spills registers: " $1 " on " $2 ", " $6 " bytes"; bad = 1 } END { exit bad }' "$table"; then
    status=1
fi
if grep -H 'Potential Performance Loss' "${files[@]}"; then status=1; fi
awk -v size="$(stat -c %s "$library")" -v limit="$megabytes" -v name="$(basename "$library")" 'BEGIN {
    printf "%s: %.1f MB of at most %d\n", name, size / 1e6, limit
    exit size > limit * 1e6
}' || status=1
exit "$status"
