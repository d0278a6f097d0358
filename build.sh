#!/usr/bin/env bash
# The one entry: builds, tests and runs Halfbyte on Linux. build.ps1 offers the same verbs on Windows.
#
#   ./build.sh [build]       native library, managed projects, and the tool as artifacts/halfbyte/halfbyte
#   ./build.sh demo          build, then quantize a model-shaped checkpoint, verify it, reload it and multiply by it
#   ./build.sh test          build, then run every test; ends with "N passed, N failed, N skipped". `--filter Name~Lookup` runs some
#   ./build.sh bench         build, then measure this machine: `halfbyte bench`, further arguments go to it
#   ./build.sh bindings      regenerate bindings/Generated from native/include/halfbyte.h (needs CppSharp, see bindings/README.md)
#   ./build.sh pack          NuGet packages and the tool package into artifacts/package, then tests/packages, which uses them
#   ./build.sh gpu-bundle    artifacts/gpu-bundle.tar.xz, for a machine with a GPU and without .NET: tests/gpu/run.sh in it does the rest
#   ./build.sh format        format C++ and C#; with --check only say what is not formatted
#   ./build.sh clean         remove artifacts/
#
# The CUDA library is built where a CUDA toolkit 12.0 or newer is found; `--cuda`, anywhere on the line, sets one up in the user's cache
# where there is none (native/cuda/toolkit.sh). With a toolkit, `test` also runs the CUDA kernels on the CPU (tests/emulation).
# With HALFBYTE_WARNINGS_AS_ERRORS=ON in the environment a compiler's warning stops the build, as it does in CI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly configuration=Release
readonly native_build=artifacts/native
readonly tool=artifacts/halfbyte/halfbyte
readonly stamp=artifacts/.built
readonly cuda_library=$native_build/libhalfbyte_cuda.so
readonly emulated_library=$native_build/libhalfbyte_emulated.so

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1

say() { printf '\n== %s\n' "$*"; }
die() { printf 'build.sh: %s\n' "$*" >&2; exit 3; }

# ---- what the build needs ------------------------------------------------------------------------------------------------------

have() { command -v "$1" >/dev/null 2>&1; }

require_dotnet() {
    # Bare machines have no ICU; nothing here depends on a culture.
    export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
    have dotnet || die "no .NET SDK on PATH. Install the .NET 10 SDK (https://dotnet.microsoft.com/download), then run this again."
    dotnet --list-sdks | grep -q '^10\.' ||
        die "the .NET 10 SDK is needed; found: $(dotnet --list-sdks | cut -d' ' -f1 | paste -sd' ' -). See https://dotnet.microsoft.com/download."
}

require_native_tools() {
    local missing=()
    have cmake || missing+=(cmake)
    have g++ || have clang++ || missing+=(g++)
    have ninja || have make || missing+=(ninja-build)
    ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

# Installs Debian packages when that needs no questions; otherwise says the one command to type.
install_packages() {
    have apt-get || die "missing: $*. Install them with this system's package manager, then run this again."
    [[ $(id -u) == 0 ]] || die "missing packages. Run: sudo apt-get update && sudo apt-get install -y $*"
    say "Installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# Sets $nvcc to the CUDA compiler, or to nothing where there is none. With --cuda there is one afterwards.
find_toolkit() {
    [[ -z ${nvcc+known} ]] || return 0
    if ((with_cuda)); then
        nvcc=$(native/cuda/toolkit.sh --install) || die "no CUDA toolkit could be set up; see above."
    else
        nvcc=$(native/cuda/toolkit.sh 2>/dev/null) || nvcc=
    fi
}

# ---- verbs ---------------------------------------------------------------------------------------------------------------------

build_native() {
    require_native_tools
    say "Native library"
    local generator=()
    if [[ ! -f $native_build/CMakeCache.txt ]] && have ninja; then generator=(-G Ninja); fi
    find_toolkit
    # `test` alone needs the emulator, and turns it on again; what it compiled is kept until then.
    cmake -S native -B "$native_build" "${generator[@]}" -DCMAKE_BUILD_TYPE=$configuration -DHALFBYTE_NVCC="$nvcc" -DHALFBYTE_EMULATED=OFF \
        -DHALFBYTE_WARNINGS_AS_ERRORS="${HALFBYTE_WARNINGS_AS_ERRORS:-OFF}" --log-level=WARNING
    [[ -z $nvcc ]] || echo "with CUDA, by $nvcc: its kernels take minutes to compile when they are new"
    cmake --build "$native_build" --parallel
    ls -l "$native_build"/libhalfbyte_*.so | awk '{ printf "%s: %.1f MB\n", $NF, $5 / 1e6 }'
    if [[ -z $nvcc ]]; then
        rm -f "$cuda_library" "$emulated_library" # of an earlier build
        echo "no CUDA toolkit here: built for the CPU only; --cuda sets one up"
        return
    fi
    # Registers and spills of every kernel. CI fails on what is wrong there; another compiler's choice must not fail a user's build.
    native/cuda/ptxas_report.sh "$native_build/cuda" "$cuda_library" >"$native_build/ptxas.txt" ||
        echo "note: see the end of $native_build/ptxas.txt"
}

# GCC alone: see tests/emulation/CMakeLists.txt.
require_emulation_tools() {
    have g++ || install_packages g++
    [[ -f /usr/include/boost/context/detail/fcontext.hpp ]] || install_packages libboost-context-dev
}

# The CUDA kernels as a library that runs them on the CPU, and the emulator's own tests.
build_emulated() {
    say "Emulated CUDA"
    cmake -S native -B "$native_build" -DHALFBYTE_EMULATED=ON --log-level=WARNING
    cmake --build "$native_build" --parallel
}

build_managed() {
    require_dotnet
    say "Managed projects"
    dotnet build Halfbyte.slnx -c $configuration -v minimal
    say "Tool: $tool"
    dotnet publish managed/Halfbyte.Cli/Halfbyte.Cli.csproj -c $configuration --no-build -o artifacts/halfbyte -v quiet
}

# True if a source is newer than the last complete build. Directories count too, so that a deleted file is noticed.
is_stale() {
    [[ -f $stamp && -x $tool ]] || return 0
    find_toolkit
    [[ -n $nvcc && -f $cuda_library || -z $nvcc && ! -f $cuda_library ]] || return 0
    [[ -n $(find native bindings managed tests benchmarks samples README.md ./*.props ./*.targets ./*.slnx global.json build.sh \
        \( -name bin -o -name obj -o -name results \) -prune -o -newer "$stamp" -print -quit 2>/dev/null) ]]
}

verb_build() {
    if ! is_stale; then
        say "Up to date: $tool"
        return
    fi
    require_dotnet # before minutes of work on the native side
    mkdir -p artifacts
    local started=artifacts/.started
    touch "$started"
    build_native
    build_managed
    mv "$started" "$stamp" # a file edited meanwhile stays newer
    say "Built $tool"
}

verb_demo() {
    verb_build
    say "Demo"
    "$tool" demo "$@"
}

verb_test() {
    find_toolkit
    [[ -z $nvcc ]] || require_emulation_tools # before minutes of tests
    verb_build
    passed=0 failed=0 skipped=0 broken=0
    local project
    (($# == 0)) || set -- "$@" --ignore-exit-code 8 # a filter may leave a program without tests, though not all of them
    for project in Halfbyte.Tests Halfbyte.Checkpoints.Tests Halfbyte.Cli.Tests; do
        run_tests "$project" "$(test_program $project)" "$@"
    done
    run_tests "steps of tests/gpu" tests/gpu/steps_tests.sh
    if [[ -n $nvcc ]]; then test_emulated "$@"; else printf '\nNo CUDA toolkit here: the CUDA kernels were not tested; --cuda sets one up.\n'; fi
    if ((broken && failed == 0)); then failed=1; fi
    printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    ((failed == 0 && passed > 0))
}

# The emulator's own tests, then the fixtures of cuda:0 on the emulated device.
test_emulated() {
    build_emulated
    run_tests emulation_tests "$native_build/emulation_tests"
    test_benchmark
    (($# > 0)) || set -- --filter 'FullyQualifiedName~\(cuda:0\)|FullyQualifiedName~\("cuda:0"\)'
    local project
    for project in Halfbyte.Tests Halfbyte.Checkpoints.Tests; do
        HALFBYTE_LIBRARY=$PWD/$emulated_library HALFBYTE_REQUIRE_DEVICES=cuda \
            run_tests "$project, emulated cuda:0" "$(test_program $project)" "$@"
    done
}

# The kernel benchmark on the emulated device, and the pictures of what it wrote.
test_benchmark() {
    local json=artifacts/kernel_benchmark.json
    HALFBYTE_BENCHMARK_JSON=$json run_tests kernel_benchmark_tests "$native_build/kernel_benchmark_tests"
    ! have python3 || run_tests "kernel_benchmark pictures" python3 benchmarks/plot.py --check "$json" artifacts/kernel_benchmark_pictures
}

test_program() { printf '%s' "artifacts/bin/$1/${configuration,,}/$1"; }

# run_tests <title> <program> [arguments]: adds its counts to passed, failed and skipped.
run_tests() {
    local title=$1 log=artifacts/${1//[ ,:\/]/-}.log
    shift
    say "$title"
    # The exit status is kept apart: a run that dies without a summary must not look like one without failures.
    if ! "$@" 2>&1 | tee "$log"; then broken=1; fi
    # "succeeded: 7" is how an NUnit program says it, "7 passed, 0 failed" how the others do.
    local p f s
    read -r p f s < <(sed 's/\x1b\[[0-9;]*m//g' "$log" | awk '
        $1 == "succeeded:" { p = $2 } $1 == "failed:" { f = $2 } $1 == "skipped:" { s = $2 }
        /^[0-9]+ passed, [0-9]+ failed$/ { p = $1; f = $3 }
        END { print p + 0, f + 0, s + 0 }')
    passed=$((passed + p))
    failed=$((failed + f))
    skipped=$((skipped + s))
}

verb_bench() {
    verb_build
    say "Bench"
    "$tool" bench "$@"
}

verb_bindings() {
    require_dotnet
    dotnet run --project bindings/generator -- native/include/halfbyte.h bindings/Generated/NativeMethods.g.cs
}

verb_pack() {
    verb_build
    say "Packages"
    rm -rf artifacts/package # of earlier builds
    dotnet pack Halfbyte.slnx -c $configuration --no-build -v minimal
    find_toolkit
    [[ -n $nvcc ]] || echo "no CUDA toolkit here: no package Halfbyte.Cuda; --cuda sets one up"
    ls -l artifacts/package/release
    say "Packages, used as the README says"
    tests/packages/run.sh
}

# The source tree, the tests and the tool, and the .NET runtime that this machine has, beside each other.
verb_gpu-bundle() {
    verb_build
    say "Bundle"
    local root=artifacts/gpu-bundle dotnet runtime program
    rm -rf "$root"
    mkdir -p "$root/bundle/dotnet/shared/Microsoft.NETCore.App"
    git ls-files -z | xargs -0 tar -c | tar -x -C "$root"
    git describe --always --dirty >"$root/bundle/commit"
    dotnet=$(dirname "$(realpath "$(command -v dotnet)")")
    runtime=$(dotnet --list-runtimes | sed -n 's/^Microsoft.NETCore.App \(10[^ ]*\) .*/\1/p' | tail -n 1)
    cp "$dotnet/dotnet" "$root/bundle/dotnet/"
    cp -r "$dotnet/host" "$root/bundle/dotnet/"
    cp -r "$dotnet/shared/Microsoft.NETCore.App/$runtime" "$root/bundle/dotnet/shared/Microsoft.NETCore.App/"
    for program in Halfbyte.Tests Halfbyte.Checkpoints.Tests; do
        cp -r "artifacts/bin/$program/${configuration,,}" "$root/bundle/$program"
    done
    cp -r artifacts/halfbyte "$root/bundle/"
    find "$root/bundle" -name 'libhalfbyte_*.so' -delete # built over there
    if [[ -f $cuda_library ]]; then cp "$cuda_library" "$root/bundle/"; fi # for when that fails
    tar -c -C artifacts gpu-bundle | xz -T0 -6 >artifacts/gpu-bundle.tar.xz
    ls -l artifacts/gpu-bundle.tar.xz | awk '{ printf "%s: %.1f MB\n", $NF, $5 / 1e6; exit $5 > 45 * 1048576 }' || die "the bundle is larger than 45 MiB."
}

verb_format() {
    require_dotnet
    have clang-format || install_packages clang-format
    local sources
    mapfile -t sources < <(find native tests/emulation tests/gpu benchmarks/kernels \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \))
    if [[ ${1:-} == --check ]]; then
        clang-format --dry-run --Werror "${sources[@]}"
        dotnet format whitespace Halfbyte.slnx --verify-no-changes --exclude bindings/Generated
    else
        clang-format -i "${sources[@]}"
        dotnet format whitespace Halfbyte.slnx --exclude bindings/Generated
    fi
}

verb_clean() { rm -rf artifacts; }

with_cuda=0
arguments=()
for argument in "$@"; do
    if [[ $argument == --cuda ]]; then with_cuda=1; else arguments+=("$argument"); fi
done
set -- "${arguments[@]}"

verb=${1:-build}
(($# == 0)) || shift
case $verb in
build | demo | test | bench | bindings | pack | gpu-bundle | format | clean) "verb_$verb" "$@" ;;
-h | --help | help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" ;;
*)
    printf 'build.sh: unknown verb %q; ./build.sh --help lists them.\n' "$verb" >&2
    exit 2
    ;;
esac
