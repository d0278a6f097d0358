# Where the libraries are that the benchmark compares with. Sourced by run.sh.

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
        found=$(timeout 60 find "$folder" -xdev -name "$pattern" -type f 2>/dev/null | sort -V | tail -n 1)
        [[ -z $found ]] || break
    done
    printf '%s' "$found"
}

# Sets and exports HALFBYTE_CUBLASLT, HALFBYTE_CUBLASLT_INCLUDE and HALFBYTE_BITSANDBYTES, each empty where there is none.
find_peers() {
    local toolkit major packages
    if [[ -n $nvcc && -n $gpu ]]; then
        toolkit=$(realpath "$(dirname "$(realpath "$nvcc")")/..")
        major=$("$nvcc" --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
        mapfile -t packages < <(python_packages)
        : "${HALFBYTE_CUBLASLT:=$(first_file "libcublasLt.so.$major*" "$toolkit" /usr/lib/x86_64-linux-gnu "${packages[@]}" /usr /opt /root /home)}"
        : "${HALFBYTE_CUBLASLT_INCLUDE:=$(dirname "$(first_file cublasLt.h "$toolkit" "${packages[@]}" /usr /opt /root /home)" | grep -v '^\.$')}"
        : "${HALFBYTE_BITSANDBYTES:=$(first_file "libbitsandbytes_cuda$major?.so" "${packages[@]}")}"
    fi
    export HALFBYTE_CUBLASLT=${HALFBYTE_CUBLASLT:-} HALFBYTE_CUBLASLT_INCLUDE=${HALFBYTE_CUBLASLT_INCLUDE:-}
    export HALFBYTE_BITSANDBYTES=${HALFBYTE_BITSANDBYTES:-}
}

# The folders of the libraries that bitsandbytes links: beside cuBLASLt, and in folders beside that one.
peer_folders() {
    local folder
    [[ -n $HALFBYTE_CUBLASLT ]] || return 0
    folder=$(dirname "$HALFBYTE_CUBLASLT")
    printf '%s' "$folder:$(find "$folder/../.." -maxdepth 2 -name lib -type d 2>/dev/null | paste -sd:)"
}
