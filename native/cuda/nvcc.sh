#!/usr/bin/env bash
# nvcc.sh <file> <nvcc> <arguments...>: runs nvcc, keeps what it and ptxas say in <file>, and shows what is not one of ptxas's figures.
set -uo pipefail
file=$1
shift
"$@" 2>"$file"
status=$?
grep -vE '^ptxas info +: (Compiling|Compile time|Function|Used|[0-9]+ bytes gmem)|^ +[0-9]+ bytes stack frame' "$file" >&2
exit "$status"
