#!/usr/bin/env bash
# Prints the path of the CUDA compiler (nvcc 12.0 or newer) this machine has, found in this order:
#   $CUDACXX, $CUDA_PATH/bin, PATH, /usr/local/cuda/bin, and the toolkit that --install has set up before.
#
#   native/cuda/toolkit.sh             print the path; exit status 1 and a sentence on stderr where there is none
#   native/cuda/toolkit.sh --install   where there is none, set one up first, without root: CUDA 12.4 from Debian's own archive,
#                                      in ${XDG_CACHE_HOME:-$HOME/.cache}/halfbyte/cuda-12.4 (1 GB to fetch, 250 MB kept)
#
# Only the path goes to stdout; progress and complaints go to stderr. The installed toolkit has the usual layout (bin, include,
# lib64, nvvm), so CMake finds everything from the path of nvcc.
set -euo pipefail

readonly minimum=12.0
readonly home=${XDG_CACHE_HOME:-${HOME:?}/.cache}/halfbyte/cuda-12.4

# What is unpacked from which package. All of them are fetched whole, because apt checks whole packages against signed sums.
readonly packages=(nvidia-cuda-toolkit nvidia-cuda-dev libcudart12 libnvvm4 libcu++-dev libcub-dev libthrust-dev)
readonly suite=trixie
readonly newest_host_compiler=13 # nvcc 12.4 refuses a newer GCC

say() { printf '%s\n' "toolkit: $*" >&2; }
die() {
    say "$*"
    exit 1
}

# ---- finding one ---------------------------------------------------------------------------------------------------------------

# "release 12.4, V12.4.131" -> 12.4; nothing if it does not run.
version_of() { "$1" --version 2>/dev/null | sed -n 's/.*release \([0-9][0-9.]*\),.*/\1/p'; }

is_new_enough() { [[ -n $1 && $(printf '%s\n' "$minimum" "$1" | sort -V | head -n 1) == "$minimum" ]]; }

find_nvcc() {
    local candidate version
    for candidate in "${CUDACXX:-}" "${CUDA_PATH:+$CUDA_PATH/bin/nvcc}" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc \
        "$home/bin/nvcc"; do
        [[ -n $candidate ]] || continue
        if [[ ! -x $(command -v "$candidate" || true) ]]; then
            [[ $candidate != "${CUDACXX:-}" && $candidate != "${CUDA_PATH:-}/bin/nvcc" ]] || say "passing over $candidate: it does not exist"
            continue
        fi
        version=$(version_of "$candidate")
        if is_new_enough "$version"; then
            command -v "$candidate"
            return
        fi
        say "passing over $candidate: version ${version:-unknown}, and $minimum or newer is needed"
    done
    return 1
}

# ---- setting one up ------------------------------------------------------------------------------------------------------------

# The Debian mirror this system uses, so that the set-up works behind the same mirror; proxies come from the system's apt.conf.
debian_mirror() {
    local mirror
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -E '/debian/?$' | head -n 1) || true
    printf '%s' "${mirror:-http://deb.debian.org/debian/}"
}

# apt under a configuration of its own below $1: it neither reads nor changes the system's sources, lists or packages.
private_apt() {
    local root=$1
    shift
    "$1" -o Dir::Etc::SourceList="$root/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null \
        -o Dir::Etc::PreferencesParts="$root/none" -o Dir::State="$root/state" -o Dir::State::status="$root/status" -o Dir::Cache="$root/cache" \
        -o APT::Architecture=amd64 -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=3 \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false \
        -o APT::Update::Error-Mode=any -o Dpkg::Use-Pty=0 "${@:2}"
}

fetch() {
    local root=$1 keyring=/usr/share/keyrings/debian-archive-keyring.gpg mirror
    [[ -r $keyring ]] || die "$keyring is missing, so packages cannot be verified. Install CUDA $minimum or newer and set CUDA_PATH."
    mirror=$(debian_mirror)
    mkdir -p "$root"/state/lists/partial "$root"/cache/archives/partial "$root"/packages "$root"/none
    : >"$root/status"
    printf 'deb [signed-by=%s] %s %s main non-free\n' "$keyring" "$mirror" "$suite" >"$root/sources.list"
    say "reading the package lists of $mirror ($suite)"
    private_apt "$root" apt-get -q update >&2 || die "the package lists could not be read; see above."
    say "fetching ${#packages[@]} packages, 1 GB"
    (cd "$root/packages" && private_apt "$root" apt-get -q download "${packages[@]}" >&2) || die "a package could not be fetched; see above."
}

# Unpacks the packages in $1 to the usual layout of a toolkit in $2.
unpack() {
    local from=$1 to=$2 package usr=$2/debian/usr
    local lib=$usr/lib/x86_64-linux-gnu
    mkdir -p "$to"/{bin,lib64/stubs,nvvm/bin,nvvm/lib64,debian}
    for package in "${packages[@]}"; do
        say "unpacking $package"
        if [[ $package == nvidia-cuda-dev ]]; then # 2.5 GB of libraries: take the headers and the two archives every program links
            dpkg-deb --fsys-tarfile "$from/$package"_*.deb | tar -x -C "$to/debian" --wildcards ./usr/include \
                './usr/lib/*/libcudart_static.a' './usr/lib/*/libcudadevrt.a' './usr/lib/*/stubs/libcuda.so' \
                "./usr/share/doc/$package/copyright"
        else
            dpkg -x "$from/$package"_*.deb "$to/debian"
        fi
    done
    mv "$usr/include" "$to/include"
    mv "$usr/lib/nvidia-cuda-toolkit/bin/cicc" "$to/nvvm/bin/cicc"
    mv "$usr/lib/nvidia-cuda-toolkit/bin"/{nvcc,crt} "$usr/bin"/{ptxas,fatbinary,cudafe++,nvlink,bin2c,cuobjdump,nvdisasm,cu++filt} "$to/bin/"
    mv "$usr/lib/nvidia-cuda-toolkit/libdevice" "$to/nvvm/libdevice"
    mv "$lib"/libnvvm.so.4* "$to/nvvm/lib64/"
    mv "$lib"/libcudart_static.a "$lib"/libcudadevrt.a "$lib"/libcudart.so.12* "$to/lib64/"
    ln -s libcudart.so.12 "$to/lib64/libcudart.so" # FindCUDAToolkit asks for it; nothing of ours links it
    mv "$lib/stubs/libcuda.so" "$to/lib64/stubs/"
    mv "$usr/share/doc/nvidia-cuda-toolkit/copyright" "$to/EULA-and-copyright.txt"
    rm -rf "$to/debian"
    write_profile "$to"
}

# nvcc reads nvcc.profile beside it. Debian's names /etc and /usr/lib; this one is relative to wherever the toolkit lies.
write_profile() {
    mkdir -p "$1/host"
    cat >"$1/bin/nvcc.profile" <<'PROFILE'
TOP                = $(_HERE_)/..
NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice
LD_LIBRARY_PATH   += $(TOP)/nvvm/lib64:
PATH              += $(TOP)/host:$(TOP)/nvvm/bin:$(_HERE_):
INCLUDES          += "-I$(TOP)/include" $(_SPACE_)
LIBRARIES         =+ $(_SPACE_) "-L$(TOP)/lib64/stubs" "-L$(TOP)/lib64"
CUDAFE_FLAGS      +=
PTXAS_FLAGS       +=
PROFILE
    # host/ is searched for gcc and g++ before PATH: links there only if the system's own compiler is too new.
    local version
    command -v g++ >/dev/null && (($(g++ -dumpversion | cut -d. -f1) <= newest_host_compiler)) && return
    for ((version = newest_host_compiler; version >= 9; --version)); do
        command -v "g++-$version" >/dev/null || continue
        ln -s "$(command -v "g++-$version")" "$1/host/g++"
        ln -s "$(command -v "gcc-$version")" "$1/host/gcc"
        say "host compiler: g++-$version"
        return
    done
    say "warning: nvcc 12.4 needs g++ 9 to $newest_host_compiler as its host compiler, and none is installed"
}

# Compiles one kernel for the oldest and the newest architecture the project builds for.
prove() {
    local scratch=$1/prove arch
    mkdir -p "$scratch"
    printf '#include <cuda_bf16.h>\n__global__ void k(__nv_bfloat16* p) { p[threadIdx.x] = __float2bfloat16(2.0f); }\n' >"$scratch/k.cu"
    for arch in sm_75 sm_90a; do
        "$2/bin/nvcc" -arch=$arch -cubin -o "$scratch/k.cubin" "$scratch/k.cu" >&2 || die "the new toolkit does not compile for $arch; see above."
    done
    "$2/bin/cuobjdump" --dump-sass "$scratch/k.cubin" >/dev/null || die "the new toolkit's cuobjdump does not run."
}

install_toolkit() {
    local needed
    for needed in apt-get dpkg-deb g++ tar; do
        command -v "$needed" >/dev/null || die "--install needs $needed. Install CUDA $minimum or newer by other means and set CUDA_PATH."
    done
    [[ $(uname -m) == x86_64 ]] || die "--install knows x86-64 only. Install CUDA $minimum or newer by other means and set CUDA_PATH."
    mkdir -p "$(dirname "$home")"
    # Everything happens in a folder beside the goal, which one rename then puts in place: an interrupted run leaves nothing behind,
    # and of two runs at once one wins.
    work=$(mktemp -d "$home.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    fetch "$work/apt"
    unpack "$work/apt/packages" "$work/toolkit"
    prove "$work" "$work/toolkit"
    if [[ -e $home ]] && ! is_new_enough "$(version_of "$home/bin/nvcc")"; then rm -rf "$home"; fi
    mv -T "$work/toolkit" "$home" 2>/dev/null || is_new_enough "$(version_of "$home/bin/nvcc")" || die "could not move the toolkit to $home."
    say "installed in $home ($(du -sh "$home" | cut -f1))"
}

case ${1:-} in
'') find_nvcc || die "no nvcc $minimum or newer (CUDACXX, CUDA_PATH, PATH, /usr/local/cuda, $home). $0 --install sets one up." ;;
--install)
    find_nvcc || {
        install_toolkit
        find_nvcc
    }
    ;;
-h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" ;;
*)
    say "unknown argument '$1'; --help lists them"
    exit 2
    ;;
esac
