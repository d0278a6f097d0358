#include "peers/bitsandbytes.h"

#include <dlfcn.h>

namespace halfbyte::benchmark {
namespace {

template <class F>
void load(void* library, const char* name, F* function) {
    *function = reinterpret_cast<F>(dlsym(library, name));
}

}  // namespace

std::unique_ptr<Bitsandbytes> open_bitsandbytes(const std::string& path, std::string* reason) {
    if (path.empty()) {
        *reason = "no --bitsandbytes";
        return nullptr;
    }
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed, as cuBLASLt
    if (library == nullptr) {
        *reason = dlerror();
        return nullptr;
    }
    auto b = std::make_unique<Bitsandbytes>();
    load(library, "cdequantize_blockwise_bf16_nf4", &b->dequantize_nf4);
    load(library, "cdequantize_blockwise_fp32", &b->dequantize_float32);
    load(library, "cquantize_blockwise_bf16_nf4", &b->quantize_nf4);
    load(library, "cquantize_blockwise_fp32", &b->quantize_float32);
    load(library, "cgemm_4bit_bf16", &b->gemm_4bit);
    load(library, "cint8_vector_quant", &b->quantize_rows);
    load(library, "cigemmlt_32", &b->gemm_int8);
    load(library, "cdequant_mm_int32_fp16", &b->dequantize_product);
    void* (*get_context)() = nullptr;
    load(library, "get_context", &get_context);
    if (get_context != nullptr) b->context = get_context();
    return b;
}

bool bitsandbytes_is_fused(int64_t M, int64_t N, int64_t K, int multiprocessors) {
    const int64_t blocks = (N + 63) / 64, device = multiprocessors;
    if (M <= 4) return true;
    if (N * K < int64_t{4} << 20) {
        if (K * 2 < N) return M <= (blocks * 3 < device ? 512 : 320);
        return M <= (blocks * 4 <= device ? 32 : blocks * 2 <= device ? 16 : 0);
    }
    const bool under_three_quarters = blocks * 4 < device * 3;
    if (M < 8) {
        if (M < 6 || blocks < 36 || !under_three_quarters) return true;
        return !(K > N || (K == N && blocks * 5 >= device * 3));
    }
    if (blocks >= device * 3) return M <= 64;
    if (blocks >= device * 2) return M <= 48;
    if (blocks >= device) return M <= 32;
    if (blocks < device / 2 || (K >= N && under_three_quarters)) return false;
    return M <= 16;
}

}  // namespace halfbyte::benchmark
