// A library of matrix products to compare with. cuBLASLt is the one there is (cublaslt.cpp); the tests have one of their own.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>
#include <string>

namespace halfbyte::benchmark {

enum class GemmKind {
    kBFloat16,            // y[M,N] = x[M,K] * W[N,K]^T, float32 accumulation
    kBFloat16Transposed,  // dx[M,K] = dy[M,N] * W[N,K]
    kInt8,                // y[M,N] = x[M,K] * W[N,K]^T, int32
};

// One product of fixed shape, with the algorithms that the library proposes for it.
class Gemm {
   public:
    virtual ~Gemm() = default;
    virtual int algorithms() const = 0;
    virtual void enqueue(int algorithm, const void* weight, const void* x, void* y, cudaStream_t stream) = 0;
};

class GemmLibrary {
   public:
    virtual ~GemmLibrary() = default;
    virtual std::string version() const = 0;
    // Null, and why, if the library cannot do it.
    virtual std::unique_ptr<Gemm> gemm(GemmKind kind, int64_t M, int64_t N, int64_t K, std::string* reason) = 0;
};

// `path`: of libcublasLt.so; empty: wherever the loader finds it. Null, and why, if it cannot be opened.
std::unique_ptr<GemmLibrary> open_cublaslt(const std::string& path, std::string* reason);

}  // namespace halfbyte::benchmark
