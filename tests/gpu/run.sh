#!/usr/bin/env bash
# Everything that needs a GPU, in eight minutes, on a machine that has one, nvcc 12.0 or newer, CMake and g++, but no .NET and no network.
#
#   run.sh [--seconds <n>] [--only <group,...>] <output folder>
#   run.sh --library <libhalfbyte_*.so> <output folder>    with a library that is there, such as the emulated one: builds nothing, and
#                                                          leaves out what needs a GPU
#
# It runs from a bundle, not from a clone: on a machine with .NET, `./build.sh gpu-bundle` packs the source tree, the tests, the tool and
# their .NET runtime into artifacts/gpu-bundle.tar.xz. Copy that to the GPU machine, and there:
#
#   tar -xJf gpu-bundle.tar.xz && gpu-bundle/tests/gpu/run.sh results
#
# The groups, in their order; each gets what is left of --seconds (480), and no more than it asks for (steps.sh):
#
#   build       the native library for this GPU. If that fails, the one in the bundle, for every GPU, is tested instead
#   tests       the NUnit fixtures of cuda:0, each a process of its own, so that one that crashes or hangs takes no other along; of one
#               that did, all but the test it was in once more
#   graph       every operation captured in a graph and replayed
#   benchmark   kernel_benchmark (benchmarks/README.md)
#   code        registers, spills and the hottest loops, as this nvcc has compiled them
#   others      the NUnit tests that have nothing to do with a GPU
#   sanitizer   a subset of the tests under compute-sanitizer's four tools, side by side
#
# The output folder gets summary.json, summary.txt, benchmark.json, benchmark.txt, clocks.csv and a log per step. Exit status 0 if nothing
# failed. A later run with --only uses what an earlier one has built.
#
# The benchmark compares with cuBLASLt and bitsandbytes where it finds them: $HALFBYTE_CUBLASLT and $HALFBYTE_BITSANDBYTES name their
# libraries, $HALFBYTE_CUBLASLT_INCLUDE the folder of cublasLt.h; else they are looked for in the toolkit and in Python's packages.
set -uo pipefail

# What compute-sanitizer sees: some hundred times slower, so a few tests that together launch every kernel.
readonly sanitized='(FullyQualifiedName~\(cuda:0\))&(Name~Any_shape|Name~Any_count|Name~Real_layers|Name~Any_size_in_any_block|Name~Several_weights)'

seconds_in_all=480 fixture_seconds=100 library='' only=build,tests,graph,benchmark,code,others,sanitizer
while [[ ${1:-} == --* ]]; do
    case $1 in
    --library) library=$(realpath "${2:?a library}") fixture_seconds=300 ;;
    --seconds) seconds_in_all=${2:?a number of seconds} ;;
    --only) only=${2:?groups} ;;
    *) break ;;
    esac
    shift 2
done
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

wants() { [[ ,$only, == *,$1,* ]]; }

gpu=$(timeout 20 nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total,power.limit --format=csv,noheader 2>/dev/null | head -n 1)
nvcc=$("$tree/native/cuda/toolkit.sh" 2>/dev/null)
commit=$(cat "$bundle/commit")
source "$tree/tests/gpu/steps.sh"
: >"$out/steps/all"
source "$tree/tests/gpu/peers.sh"

# ---- the groups ----------------------------------------------------------------------------------------------------------------

build_library() {
    local capability architecture keep_going=(-k)
    capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
    architecture=sm_$capability
    [[ $capability != 90 ]] || architecture=sm_90a
    ((capability < 100)) || architecture=compute_90 # what the library has for GPUs after it: PTX
    if [[ ! -f $build/CMakeCache.txt ]] && command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi
    cmake -S "$tree/native" -B "$build" -DCMAKE_BUILD_TYPE=Release -DHALFBYTE_NVCC="$nvcc" -DHALFBYTE_CUDA_ARCHITECTURES="$architecture" \
        -DHALFBYTE_CUDA_FLAGS=-lineinfo -DHALFBYTE_GPU_TESTS=ON ${HALFBYTE_CUBLASLT_INCLUDE:+-DHALFBYTE_CUBLASLT_INCLUDE="$HALFBYTE_CUBLASLT_INCLUDE"} || return
    [[ ! -f $build/build.ninja ]] || keep_going=(-k 0) # all mistakes of this compiler at once
    cmake --build "$build" --parallel "$(nproc)" --target halfbyte_cuda graph_tests -- "${keep_going[@]}"
}
build_benchmark() { cmake --build "$build" --parallel "$(nproc)" --target kernel_benchmark; }

# The names of a program's fixtures on cuda:0, one per line.
fixtures() {
    bounded 60 "$bundle/$1/$1" --list-tests json 2>/dev/null | awk -F '"' '/"typeName"/ && /cuda:0/ { sub(/\(.*/, "", $4); if (!seen[$4]++) print $4 }'
}

# fixture <program> <name>: all tests of the fixture; if it is lost in one of them, the others once more.
fixture() {
    local program=$1 name=$2 filter="FullyQualifiedName~.$2&FullyQualifiedName~cuda:0" test
    step "$fixture_seconds" "tests-$name" "$bundle/$program/$program" --filter "$filter" && return
    test=$(culprit "$out/steps/tests-$name.tests")
    test=${test#*\).}  # without namespace, class and device
    test=${test%%\(*}  # without arguments
    [[ -z $test ]] || step 60 "tests-$name-without-$test" "$bundle/$program/$program" --filter "$filter&FullyQualifiedName!~.$test"
}

test_fixtures() {
    local program name
    steps_at_once=$(($(nproc) / 4))
    ((steps_at_once >= 2)) || steps_at_once=2
    ((steps_at_once <= 4)) || steps_at_once=4
    for program in Halfbyte.Tests Halfbyte.Checkpoints.Tests; do
        fixtures "$program" >"$out/steps/$program.fixtures"
        [[ -s $out/steps/$program.fixtures ]] || step 60 "tests-of-$program" "$bundle/$program/$program" --filter 'FullyQualifiedName~cuda:0'
        while read -r name; do
            while (($(jobs -rp | awk 'END { print NR }') >= steps_at_once)); do sleep 0.1; done
            fixture "$program" "$name" </dev/null &
        done <"$out/steps/$program.fixtures"
    done
    finish
}

test_others() {
    local program
    for program in Halfbyte.Tests Halfbyte.Checkpoints.Tests; do
        start 120 "others-$program" "$bundle/$program/$program" --filter 'FullyQualifiedName!~cuda:0'
    done
    finish
}

# kernel_benchmark for 100 seconds, or fewer; rows come in the order of their importance.
benchmark() {
    local seconds clocks status=0 name begin lost=
    seconds=$(($(left) - 30))
    ((seconds <= 100)) || seconds=100
    ((seconds >= 10)) || seconds=10
    nvidia-smi --query-gpu=timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu --format=csv --loop=1 >"$out/clocks.csv" 2>/dev/null &
    clocks=$!
    export LD_LIBRARY_PATH="$(peer_folders)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    # A row that has begun ends, and the next ones' weights are made: some seconds more. Where a row was the end of the device (status 3), another
    # process goes on after it, three times at most.
    for name in benchmark benchmark-2 benchmark-3 benchmark-4; do
        status=0 begin=$SECONDS
        step $((seconds + 30)) "$name" "$build/kernel_benchmark" --seconds "$seconds" ${lost:+--after "$lost"} --commit "$commit" \
            --json "$out/$name.json" --text "$out/$name.txt" || status=$?
        seconds=$((seconds - SECONDS + begin))
        lost=$(sed -n 's/^lost at: //p' "$out/$name.txt" 2>/dev/null)
        [[ $status == 3 && -n $lost ]] && ((seconds >= 10)) || break
        printf '    lost at: %s\n' "$lost" | tee -a "$out/summary.txt"
    done
    kill "$clocks" 2>/dev/null
    wait "$clocks" 2>/dev/null
    return "$status"
}

sanitize() {
    local folder sanitizer
    folder=$(dirname "$(realpath "$nvcc")")
    sanitizer=$(command -v compute-sanitizer "$folder/compute-sanitizer" "$folder/../compute-sanitizer/compute-sanitizer" /usr/local/cuda/bin/compute-sanitizer | head -n 1)
    # The NUnit program's own exit status comes back, and 9 for what the sanitizer finds.
    "${sanitizer:-compute-sanitizer}" --tool "$1" --target-processes all --error-exitcode 9 \
        "$bundle/Halfbyte.Tests/Halfbyte.Tests" --filter "$sanitized"
}

sanitize_all() {
    local tool
    steps_at_once=4
    for tool in memcheck racecheck initcheck synccheck; do start "$(left)" "sanitizer-$tool" bash -c "sanitize $tool"; done
    finish
}

# ---- the run -------------------------------------------------------------------------------------------------------------------

find_peers
{
    echo "gpu:          ${gpu:-none}"
    echo "nvcc:         $([[ -n $nvcc ]] && "$nvcc" --version | sed -n 's/.*release \(.*\)/\1/p'), $nvcc"
    echo "commit:       $commit"
    echo "machine:      $(nproc) cores, $(uname -sr), $(g++ --version 2>/dev/null | head -n 1)"
    echo "cublasLt:     ${HALFBYTE_CUBLASLT:-none}; its header: ${HALFBYTE_CUBLASLT_INCLUDE:-none}"
    echo "bitsandbytes: ${HALFBYTE_BITSANDBYTES:-none}"
    echo
} | tee "$out/summary.txt"

export -f build_library build_benchmark sanitize
export tree build bundle sanitized nvcc out
if [[ -z $library ]]; then
    library=$build/libhalfbyte_cuda.so
    if wants build; then
        step 200 build bash -c build_library && step 60 build-benchmark bash -c build_benchmark
    fi
    if [[ ! -f $library ]]; then
        library=$bundle/libhalfbyte_cuda.so
        echo "not built here; $library is tested instead" | tee -a "$out/summary.txt"
    fi
fi
export HALFBYTE_LIBRARY=$library

step 30 doctor "$bundle/halfbyte/halfbyte" doctor
! wants tests || test_fixtures
if [[ -n $gpu && -x $build/graph_tests ]] && wants graph; then step 60 graph "$build/graph_tests"; fi
if [[ -n $gpu && -x $build/kernel_benchmark ]] && wants benchmark; then benchmark; fi
if [[ $library == "$build"/* ]] && wants code; then
    step 30 code-registers "$tree/native/cuda/ptxas_report.sh" "$build/cuda" "$library"
    step 60 code-loops "$tree/native/cuda/sass_budget.sh" "$(dirname "$nvcc")/cuobjdump" "$build/cuda"
fi
! wants others || test_others
if [[ -n $gpu ]] && wants sanitizer; then sanitize_all; fi

printf '\n%d of %d steps failed, %d seconds in all\n' "$(failed_steps)" "$(awk 'END { print NR }' "$out/steps/all")" "$SECONDS" | tee -a "$out/summary.txt"
# Once more what matters, for whoever sees only the end of this.
for report in "$out"/benchmark*.txt; do
    [[ ! -s $report ]] || sed -n '/^target /,$p' "$report"
done
cat "$out/summary.txt"
(($(failed_steps) == 0))
