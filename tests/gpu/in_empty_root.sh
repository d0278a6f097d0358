#!/usr/bin/env bash
# Shows that the bundle brings what it needs: unpacks it into an empty root and runs it there, without .NET, compiler or network.
#
#   tests/gpu/in_empty_root.sh <gpu-bundle.tar.xz> <library> <output folder> [further arguments of run.sh]      as root
#
# <library> stands in for the one that a GPU machine builds: the emulated one runs all kernels (./build.sh test --cuda makes it). The
# root gets a shell, the few programs that run.sh calls and the C++ runtime, each with the libraries it is linked to, and /proc.
set -euo pipefail

readonly programs=(bash env timeout awk sed tee cat tail head cut mkdir mv rm sleep dirname realpath nproc uname)
# By which the emulated library names a kernel that failed; a real one needs neither.
readonly programs_of_emulation=(sh addr2line)
# What .NET and the native library load by themselves; CMake brings the last two wherever it is.
readonly libraries=(libstdc++.so.6 libgcc_s.so.1 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libssl.so.3 libcrypto.so.3)

bundle=$(realpath "${1:?the bundle}") library=$(realpath "${2:?a library}")
mkdir -p "${3:?an output folder}"
out=$(realpath "$3")
shift 3
root=$(mktemp -d)
cleanup() {
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap cleanup EXIT

# Copies a file to the same place in the root, and the libraries it names.
bring() {
    local file
    for file in "$1" $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
        [[ -e $root$file ]] || install -D "$(realpath "$file")" "$root$file"
    done
}

for program in "${programs[@]}" "${programs_of_emulation[@]}"; do
    path=$(command -v "$program")
    bring "$(realpath "$path")"
    install -D "$(realpath "$path")" "$root/bin/$program"
done
mkdir -p "$root/usr/bin" "$root/etc" "$root/tmp" "$root/proc" "$root/dev" "$root/out"
echo "root:x:0:0:root:/tmp:/bin/bash" >"$root/etc/passwd" # NUnit asks who it is
ln -sf /bin/env "$root/usr/bin/env"
for name in "${libraries[@]}"; do bring "$(ldconfig -p | awk -v name="$name" '$1 == name && /x86-64/ { print $NF; exit }')"; done
ln -s /proc/self/fd "$root/dev/fd"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/urandom" c 1 9
mount -t proc proc "$root/proc"
tar -xJf "$bundle" -C "$root"
cp "$library" "$root/library.so"

status=0
chroot "$root" /bin/env -i PATH=/bin HOME=/tmp TMPDIR=/tmp /bin/bash /gpu-bundle/tests/gpu/run.sh --library /library.so "$@" /out || status=$?
cp -r "$root/out/." "$out/"
exit "$status"
