#!/usr/bin/env bash
# Everything that needs a GPU, in eight minutes, on a machine that has one, nvcc 12.0 or newer, CMake and g++, but no .NET and no network.
#
#   run.sh <output folder>
#   run.sh --library <libhalfbyte_*.so> <output folder>    with a library that is there, such as the emulated one: builds nothing, and
#                                                          leaves out what needs a GPU
#
# It runs from a bundle, not from a clone: on a machine with .NET, `./build.sh gpu-bundle` packs the source tree, the tests, the tool and
# their .NET runtime into artifacts/gpu-bundle.tar.xz. Copy that to the GPU machine, and there:
#
#   tar -xJf gpu-bundle.tar.xz && gpu-bundle/tests/gpu/run.sh results
#
# It builds the native library for this GPU, runs all NUnit tests on it, a subset of them under compute-sanitizer, captures and replays a
# graph, and runs the benchmark (benchmarks/README.md). The output folder gets summary.json, summary.txt, benchmark.json, benchmark.txt,
# clocks.csv and a log per step. Exit status 0 if nothing failed.
#
# The benchmark compares with cuBLASLt and bitsandbytes where it finds them: $HALFBYTE_CUBLASLT and $HALFBYTE_BITSANDBYTES name their
# libraries, $HALFBYTE_CUBLASLT_INCLUDE the folder of cublasLt.h; else they are looked for in the toolkit and in Python's packages.
set -uo pipefail

# What compute-sanitizer sees: some hundred times slower, so a few tests that together launch every kernel.
readonly sanitized='(FullyQualifiedName~\(cuda:0\))&(Name~Any_shape|Name~Any_count|Name~Real_layers|Name~Any_size_in_any_block|Name~Several_weights)'
readonly seconds_per_step=240
readonly seconds_in_all=480

library=
if [[ ${1:-} == --library ]]; then
    library=$(realpath "${2:?a library}")
    shift 2
fi
case ${1:-} in
'' | -*)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
mkdir -p "$1"
readonly out=$(realpath "$1")
readonly tree=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
readonly bundle=$tree/bundle
readonly build=${HALFBYTE_GPU_BUILD:-$tree/artifacts/gpu}

# The bundle's own .NET; nothing of the machine's.
export DOTNET_ROOT=$bundle/dotnet DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_MULTILEVEL_LOOKUP=0
export HALFBYTE_REPOSITORY=$tree HALFBYTE_REQUIRE_DEVICES=cuda
[[ -x $DOTNET_ROOT/dotnet ]] || {
    echo "run.sh: $DOTNET_ROOT is missing; run this from what './build.sh gpu-bundle' has packed." >&2
    exit 2
}

failed_steps=0
steps=() # of JSON

# [limit=<seconds>] step <name> <command...>: runs it with a time limit, keeps its output, notes how it went.
step() {
    local name=$1 log=$out/$1.log status seconds p f s begin=$EPOCHREALTIME
    shift
    printf '\n== %s\n' "$name"
    timeout --kill-after=10 "${limit:-$seconds_per_step}" "$@" >"$log" 2>&1
    status=$?
    seconds=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    # "succeeded: 7" is how an NUnit program says it, "7 passed, 0 failed" how ours do.
    read -r p f s < <(awk '
        $1 == "succeeded:" { p = $2 } $1 == "failed:" { f = $2 } $1 == "skipped:" { s = $2 }
        /^[0-9]+ passed, [0-9]+ failed$/ { p = $1; f = $3 }
        END { print p + 0, f + 0, s + 0 }' "$log")
    ((status == 0)) || failed_steps=$((failed_steps + 1))
    steps+=("{\"name\": \"$name\", \"status\": $status, \"seconds\": $seconds, \"passed\": $p, \"failed\": $f, \"skipped\": $s}")
    printf '%-24s %-8s %6s s  %5d passed %5d failed %5d skipped\n' "$name" "$( ((status == 0)) && echo ok || { ((status == 124)) && echo "too long" || echo "FAILED"; })" \
        "$seconds" "$p" "$f" "$s" | tee -a "$out/summary.txt"
    ((status == 0)) || tail -n 15 "$log"
    return "$status"
}

# Where Python keeps packages that carry CUDA's libraries and headers.
python_packages() {
    python3 -c 'import site, sys; print(*{p for p in sys.path + site.getsitepackages() + [site.getusersitepackages()] if p.endswith("-packages")}, sep="\n")' 2>/dev/null
}

# first_file <pattern> <folder...>: the path of a file of that name, the newest version first.
first_file() {
    local pattern=$1 folder found=
    shift
    for folder in "$@"; do
        [[ -d $folder ]] || continue
        found=$(find "$folder" -xdev -name "$pattern" -type f 2>/dev/null | sort -V | tail -n 1)
        [[ -z $found ]] || break
    done
    printf '%s' "$found"
}

# Sets and exports HALFBYTE_CUBLASLT, HALFBYTE_CUBLASLT_INCLUDE and HALFBYTE_BITSANDBYTES, each empty where there is none.
find_peers() {
    local toolkit major packages
    toolkit=$(realpath "$(dirname "$(realpath "$nvcc")")/..")
    major=$("$nvcc" --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
    mapfile -t packages < <(python_packages)
    : "${HALFBYTE_CUBLASLT:=$(first_file "libcublasLt.so.$major*" "$toolkit" /usr/lib/x86_64-linux-gnu "${packages[@]}" /usr /opt /root /home)}"
    : "${HALFBYTE_CUBLASLT_INCLUDE:=$(dirname "$(first_file cublasLt.h "$toolkit" "${packages[@]}" /usr /opt /root /home)" | grep -v '^\.$')}"
    : "${HALFBYTE_BITSANDBYTES:=$(first_file "libbitsandbytes_cuda$major?.so" "${packages[@]}")}"
    export HALFBYTE_CUBLASLT HALFBYTE_CUBLASLT_INCLUDE HALFBYTE_BITSANDBYTES
}

# kernel_benchmark in the time that is left; rows come in the order of their importance.
benchmark() {
    local left=$((seconds_in_all - SECONDS - 15)) folders
    left=$((left > 100 ? 100 : left < 20 ? 20 : left))
    # bitsandbytes links what lies beside cuBLASLt, and in folders beside that one.
    folders=$(dirname "${HALFBYTE_CUBLASLT:-}")
    folders=$folders:$(find "$folders/../.." -maxdepth 2 -name lib -type d 2>/dev/null | paste -sd:)
    [[ -n ${HALFBYTE_CUBLASLT:-} ]] || folders=
    nvidia-smi --query-gpu=timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu --format=csv --loop=1 >"$out/clocks.csv" 2>/dev/null &
    local clocks=$! status=0
    limit=$((left + 60)) step benchmark env LD_LIBRARY_PATH="$folders${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$build/kernel_benchmark" \
        --seconds "$left" --commit "$(cat "$bundle/commit")" --json "$out/benchmark.json" --text "$out/benchmark.txt" || status=$?
    kill "$clocks" 2>/dev/null
    return "$status"
}

nunit() { step "$1" "$bundle/$2/$2" "${@:3}"; }

quoted() { sed 's/[\\"]/\\&/g; s/^/"/; s/$/"/' <<<"$1"; }
gpu=$(nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total,power.limit --format=csv,noheader 2>/dev/null | head -n 1)
nvcc=$("$tree/native/cuda/toolkit.sh" 2>/dev/null)
: >"$out/summary.txt"
{
    echo "gpu:     ${gpu:-none}"
    echo "nvcc:    $([[ -n $nvcc ]] && "$nvcc" --version | sed -n 's/.*release \(.*\)/\1/p')"
    echo "commit:  $(cat "$bundle/commit")"
    echo "machine: $(nproc) cores, $(uname -sr)"
    echo
} | tee "$out/summary.txt"

build_library() {
    local capability architecture
    capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
    architecture=sm_$capability
    [[ $capability != 90 ]] || architecture=sm_90a
    ((capability < 100)) || architecture=compute_90 # what the library has for GPUs after it: PTX
    export architecture nvcc
    cmake -S "$tree/native" -B "$build" -DCMAKE_BUILD_TYPE=Release -DHALFBYTE_NVCC="$nvcc" -DHALFBYTE_CUDA_ARCHITECTURES="$architecture" \
        -DHALFBYTE_CUDA_FLAGS=-lineinfo -DHALFBYTE_GPU_TESTS=ON ${HALFBYTE_CUBLASLT_INCLUDE:+-DHALFBYTE_CUBLASLT_INCLUDE="$HALFBYTE_CUBLASLT_INCLUDE"} &&
        cmake --build "$build" --parallel "$(nproc)" --target halfbyte_cuda graph_tests
}
build_benchmark() { cmake --build "$build" --parallel "$(nproc)" --target kernel_benchmark; }

sanitize() {
    local sanitizer
    sanitizer=$(command -v compute-sanitizer || echo "$(dirname "$nvcc")/compute-sanitizer")
    # The NUnit program's own exit status comes back, and 9 for what the sanitizer finds.
    "$sanitizer" --tool "$1" --target-processes all --error-exitcode 9 \
        "$bundle/Halfbyte.Tests/Halfbyte.Tests" --filter "$sanitized"
}

export -f build_library build_benchmark sanitize
export tree build bundle sanitized nvcc
if [[ -z $library ]]; then
    find_peers
    step build bash -c build_library || exit 1
    step build-benchmark bash -c build_benchmark # apart, so that the tests run whatever cuBLASLt's header is like
    library=$build/libhalfbyte_cuda.so
fi
export HALFBYTE_LIBRARY=$library

step doctor "$bundle/halfbyte/halfbyte" doctor
nunit tests Halfbyte.Tests
nunit tests-checkpoints Halfbyte.Checkpoints.Tests
if [[ -n $gpu && -x $build/graph_tests ]]; then
    step graph "$build/graph_tests"
    for tool in memcheck racecheck initcheck synccheck; do step "sanitizer-$tool" bash -c "sanitize $tool"; done
    [[ ! -x $build/kernel_benchmark ]] || benchmark
fi

{
    printf '{\n  "gpu": %s,\n  "nvcc": %s,\n  "commit": %s,\n  "steps": [\n' "$(quoted "$gpu")" "$(quoted "$nvcc")" "$(quoted "$(cat "$bundle/commit")")"
    for ((i = 0; i < ${#steps[@]}; i++)); do printf '    %s%s\n' "${steps[i]}" "$( ((i + 1 < ${#steps[@]})) && echo ,)"; done
    printf '  ]\n}\n'
} >"$out/summary.json"
printf '\n%d of %d steps failed, %d seconds in all\n' "$failed_steps" "${#steps[@]}" "$SECONDS" | tee -a "$out/summary.txt"
((failed_steps == 0))
