#!/usr/bin/env bash
# Follows README.md, "Use it in your project", to the letter, in fresh projects outside the clone: its shell blocks are run, its example
# is the program, and the program must print what the README shows. Needs the packages of `./build.sh pack`, which calls this.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
packages=$root/artifacts/package/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset HALFBYTE_LIBRARY # the library has to be found without help

fail() { printf 'packages: %s\n' "$*" >&2; exit 1; }

# block <section> <number> <kind of block>: the text between its fences.
block() {
    awk -v section="## $1" -v number="$2" -v fence="\`\`\`$3" '
        /^## / { here = ($0 == section) }
        /^```/ { if (inside) inside = 0; else { inside = 1; taken = (here && $0 == fence && ++count == number); next } }
        inside && taken' "$root/README.md"
}

# try <title> <number of the README block> [package]: a project made by that block, plus a package, runs the example.
try() {
    local title=$1 project=$work/$1/Engine
    mkdir "$work/$title"
    block 'Use it in your project' "$2" '' | sed "s|/path/to/halfbyte|$root|g" >"$work/$title/commands.sh"
    [[ -s $work/$title/commands.sh ]] || fail "README.md has no block $2 of commands."
    (cd "$work/$title" && bash -euo pipefail commands.sh) >"$work/$title/log" 2>&1 || { cat "$work/$title/log" >&2; fail "$title: the commands failed."; }
    block 'The library' 1 csharp >"$project/Program.cs"
    block 'The library' 1 '' >"$work/expected"
    [[ -z ${3-} ]] || (cd "$project" && dotnet add package "$3") >"$work/$title/log" 2>&1 || { cat "$work/$title/log" >&2; fail "$title: no package $3."; }
    (cd "$project" && dotnet run) >"$work/actual" 2>&1 || { cat "$work/actual" >&2; fail "$title: the example does not run."; }
    # The numbers of the second line depend on the processor.
    diff <(sed 's/-\?[0-9.]*$//' "$work/expected") <(sed 's/-\?[0-9.]*$//' "$work/actual") >&2 || fail "$title: the example prints something else."
    printf '%s: the example runs\n' "$title"
}

ls "$packages"/Halfbyte.[0-9]*.nupkg >/dev/null 2>&1 || fail "no packages in $packages; run ./build.sh pack."

try reference 2

# Packages go to a cache of their own: the user's may hold earlier ones of the same version.
export NUGET_PACKAGES=$work/cache
try package 1
if ls "$packages"/Halfbyte.Cuda.*.nupkg >/dev/null 2>&1; then
    try cuda 1 Halfbyte.Cuda
    find "$work/cuda/Engine/bin" -name '*halfbyte_cuda.*' | grep -q . || fail "cuda: the CUDA library is not in the program's output."
fi

install=$(block 'Use it in your project' 3 '' | sed -n "s|/path/to/halfbyte|$root|g; s|--global|--tool-path $work/tool|; /tool install/p")
[[ -n $install ]] || fail "README.md does not say how to install the tool."
(cd "$work" && bash -c "$install") >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "the tool cannot be installed."; }
"$work/tool/halfbyte" doctor >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "the installed tool's doctor finds something wrong."; }
printf 'tool: %s\n' "$(grep '^healthy' "$work/log")"
