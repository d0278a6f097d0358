#!/usr/bin/env bash
# The one entry: builds, tests and runs Halfbyte on Linux. build.ps1 offers the same verbs on Windows.
#
#   ./build.sh [build]   native library, managed projects, and the tool as artifacts/halfbyte/halfbyte
#   ./build.sh demo      build, then quantize a model-shaped checkpoint, verify it, reload it and multiply by it
#   ./build.sh test      build, then run every test; ends with "N passed, N failed, N skipped"
#   ./build.sh bench     build, then measure this machine: `halfbyte bench`, further arguments go to it
#   ./build.sh bindings  regenerate bindings/Generated from native/include/halfbyte.h (needs CppSharp, see bindings/README.md)
#   ./build.sh pack      NuGet packages and the tool package into artifacts/package
#   ./build.sh format    format C++ and C#; with --check only say what is not formatted
#   ./build.sh clean     remove artifacts/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly configuration=Release
readonly native_build=artifacts/native
readonly tool=artifacts/halfbyte/halfbyte
readonly stamp=artifacts/.built

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1

say() { printf '\n== %s\n' "$*"; }
die() { printf 'build.sh: %s\n' "$*" >&2; exit 3; }

# ---- what the build needs ------------------------------------------------------------------------------------------------------

have() { command -v "$1" >/dev/null 2>&1; }

require_dotnet() {
    # Bare machines have no ICU; nothing here depends on a culture.
    export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
    have dotnet || die "no .NET SDK on PATH. Install the .NET 10 SDK (https://dotnet.microsoft.com/download), then run this again."
    dotnet --list-sdks | grep -q '^1[0-9]\.' ||
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

# ---- verbs ---------------------------------------------------------------------------------------------------------------------

build_native() {
    require_native_tools
    say "Native library"
    local generator=()
    if [[ ! -f $native_build/CMakeCache.txt ]] && have ninja; then generator=(-G Ninja); fi
    cmake -S native -B "$native_build" "${generator[@]}" -DCMAKE_BUILD_TYPE=$configuration --log-level=WARNING
    cmake --build "$native_build" --parallel
    ls -l "$native_build"/libhalfbyte_*.so | awk '{ printf "%s: %.1f MB\n", $NF, $5 / 1e6 }'
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
    verb_build
    local passed=0 failed=0 skipped=0 broken=0 project log
    for project in Halfbyte.Tests Halfbyte.Checkpoints.Tests Halfbyte.Cli.Tests; do
        say "$project"
        log=artifacts/$project.log
        # The exit status is kept apart: a run that dies without a summary must not look like one without failures.
        if ! "artifacts/bin/$project/${configuration,,}/$project" "$@" 2>&1 | tee "$log"; then broken=1; fi
        count() { awk -v key="$1:" '$1 == key { n = $2 } END { print n + 0 }' "$log"; }
        passed=$((passed + $(count succeeded)))
        failed=$((failed + $(count failed)))
        skipped=$((skipped + $(count skipped)))
    done
    if ((broken && failed == 0)); then failed=1; fi
    printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    ((failed == 0 && passed > 0))
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
    dotnet pack Halfbyte.slnx -c $configuration --no-build -v minimal
    ls -l artifacts/package/release
}

verb_format() {
    require_dotnet
    have clang-format || install_packages clang-format
    local sources
    mapfile -t sources < <(find native \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \))
    if [[ ${1:-} == --check ]]; then
        clang-format --dry-run --Werror "${sources[@]}"
        dotnet format whitespace Halfbyte.slnx --verify-no-changes --exclude bindings/Generated
    else
        clang-format -i "${sources[@]}"
        dotnet format whitespace Halfbyte.slnx --exclude bindings/Generated
    fi
}

verb_clean() { rm -rf artifacts; }

verb=${1:-build}
(($# == 0)) || shift
case $verb in
build | demo | test | bench | bindings | pack | format | clean) "verb_$verb" "$@" ;;
-h | --help | help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" ;;
*)
    printf 'build.sh: unknown verb %q; ./build.sh --help lists them.\n' "$verb" >&2
    exit 2
    ;;
esac
