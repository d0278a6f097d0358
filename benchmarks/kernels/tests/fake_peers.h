// Peers for a machine without a GPU: the same products, computed plainly on the host, which the emulated device's memory belongs
// to.
#pragma once

#include <bit>
#include <cmath>
#include <map>
#include <memory>
#include <string>

#include "peers/bitsandbytes.h"
#include "peers/gemm.h"

namespace halfbyte::benchmark::fake {

inline float from_bfloat16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t to_bfloat16(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

class HostGemm final : public Gemm {
   public:
    HostGemm(GemmKind kind, int64_t M, int64_t N, int64_t K) : kind_(kind), M_(M), N_(N), K_(K) {}
    int algorithms() const override { return 2; }

    void enqueue(int, const void* weight, const void* x, void* y, cudaStream_t) override {
        const bool is_transposed = kind_ == GemmKind::kBFloat16Transposed;
        const int64_t outputs = is_transposed ? K_ : N_, inputs = is_transposed ? N_ : K_;
        for (int64_t m = 0; m < M_; ++m)
            for (int64_t o = 0; o < outputs; ++o) {
                if (kind_ == GemmKind::kInt8) {
                    int32_t sum = 0;
                    for (int64_t i = 0; i < inputs; ++i)
                        sum += static_cast<const int8_t*>(x)[m * K_ + i] * static_cast<const int8_t*>(weight)[o * K_ + i];
                    static_cast<int32_t*>(y)[m * N_ + o] = sum;
                    continue;
                }
                float sum = 0;
                for (int64_t i = 0; i < inputs; ++i)
                    sum += from_bfloat16(static_cast<const uint16_t*>(x)[m * inputs + i]) *
                           from_bfloat16(static_cast<const uint16_t*>(weight)[is_transposed ? i * K_ + o : o * K_ + i]);
                static_cast<uint16_t*>(y)[m * outputs + o] = to_bfloat16(sum);
            }
    }

   private:
    GemmKind kind_;
    int64_t M_, N_, K_;
};

class HostGemms final : public GemmLibrary {
   public:
    std::string version() const override { return "0.0.0"; }
    std::unique_ptr<Gemm> gemm(GemmKind kind, int64_t M, int64_t N, int64_t K, std::string*) override {
        return std::make_unique<HostGemm>(kind, M, N, K);
    }
};

// How often each function of bitsandbytes was called.
inline std::map<std::string, int>& calls() {
    static std::map<std::string, int> all;
    return all;
}

inline std::unique_ptr<Bitsandbytes> bitsandbytes() {
    auto b = std::make_unique<Bitsandbytes>();
    b->dequantize_nf4 = [](float*, uint8_t*, float*, void*, int, int, cudaStream_t) { ++calls()["dequantize_nf4"]; };
    b->dequantize_float32 = [](float*, uint8_t*, float*, void*, int, int, cudaStream_t) { ++calls()["dequantize_float32"]; };
    b->quantize_nf4 = [](float*, void*, float*, uint8_t*, int, int) { ++calls()["quantize_nf4"]; };
    b->quantize_float32 = [](float*, void*, float*, uint8_t*, int, int) { ++calls()["quantize_float32"]; };
    b->gemm_4bit = [](const void*, const uint8_t*, const float*, const uint8_t*, const float*, const float*, void*, const void*,
                      int, int, int, int, int, cudaStream_t) { ++calls()["gemm_4bit"]; };
    b->quantize_rows = [](void*, int8_t*, float*, float, int, int, cudaStream_t) { ++calls()["quantize_rows"]; };
    b->gemm_int8 = [](void*, int inputs, int rows, int outputs, const int8_t* w, const int8_t* x, void* sums, float*, int ldw,
                      int ldx, int ldsums, cudaStream_t stream) {
        ++calls()["gemm_int8"];
        if (ldw != inputs || ldx != inputs || ldsums != outputs) return 1;  // as cuBLASLt refuses matrices wider than their rows
        HostGemm(GemmKind::kInt8, rows, outputs, inputs).enqueue(0, w, x, sums, stream);
        return 0;
    };
    b->dequantize_product = [](int*, float*, float*, void*, void*, int, int, cudaStream_t) { ++calls()["dequantize_product"]; };
    b->context = b.get();
    return b;
}

}  // namespace halfbyte::benchmark::fake
