// cuBLASLt as it is at its best: a workspace of 32 MiB, and the fastest of the algorithms that its heuristics propose.
//
// The library is opened at run time, so that the benchmark starts without it. cuBLASLt counts matrices by columns: a row-major
// y[M,N] is its N x M, and W[N,K] its K x N, transposed back for the product and taken as it is for the gradient.
#include <cublasLt.h>
#include <dlfcn.h>

#include <array>
#include <stdexcept>
#include <vector>

#include "device.h"
#include "peers/gemm.h"

namespace halfbyte::benchmark {
namespace {

constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;
constexpr int kAlgorithms = 8;

struct Functions {
    decltype(&cublasLtCreate) create;
    decltype(&cublasLtDestroy) destroy;
    decltype(&cublasLtGetVersion) version;
    decltype(&cublasLtMatmul) matmul;
    decltype(&cublasLtMatmulDescCreate) description_create;
    decltype(&cublasLtMatmulDescDestroy) description_destroy;
    decltype(&cublasLtMatmulDescSetAttribute) description_set;
    decltype(&cublasLtMatrixLayoutCreate) layout_create;
    decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
    decltype(&cublasLtMatmulPreferenceCreate) preference_create;
    decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
    decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
    decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
};

void check(cublasStatus_t status, const char* what) {
    if (status != CUBLAS_STATUS_SUCCESS) throw std::runtime_error(std::string(what) + ": status " + std::to_string(status));
}

class LtGemm final : public Gemm {
   public:
    LtGemm(const Functions& functions, cublasLtHandle_t handle, const Buffer& workspace, GemmKind kind, int64_t M, int64_t N,
           int64_t K)
        : f_(functions), handle_(handle), workspace_(workspace), is_int8_(kind == GemmKind::kInt8) {
        const bool is_transposed = kind == GemmKind::kBFloat16Transposed;
        const cudaDataType_t in = is_int8_ ? CUDA_R_8I : CUDA_R_16BF, out = is_int8_ ? CUDA_R_32I : CUDA_R_16BF;
        check(f_.description_create(&description_, is_int8_ ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
                                    is_int8_ ? CUDA_R_32I : CUDA_R_32F),
              "cublasLtMatmulDescCreate");
        const cublasOperation_t operation = is_transposed ? CUBLAS_OP_N : CUBLAS_OP_T;
        check(f_.description_set(description_, CUBLASLT_MATMUL_DESC_TRANSA, &operation, sizeof operation),
              "CUBLASLT_MATMUL_DESC_TRANSA");
        const int64_t input = is_transposed ? N : K, output = is_transposed ? K : N;
        layout(&weight_, in, K, N);
        layout(&x_, in, input, M);
        layout(&y_, out, output, M);
    }

    ~LtGemm() override {
        for (const cublasLtMatrixLayout_t layout : {weight_, x_, y_})
            if (layout != nullptr) f_.layout_destroy(layout);
        if (description_ != nullptr) f_.description_destroy(description_);
    }

    // The algorithms, best first as the library believes. False if it has none.
    bool find_algorithms(std::string* reason) {
        cublasLtMatmulPreference_t preference = nullptr;
        check(f_.preference_create(&preference), "cublasLtMatmulPreferenceCreate");
        const uint64_t bytes = kWorkspaceBytes;
        check(f_.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes),
              "CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES");
        std::array<cublasLtMatmulHeuristicResult_t, kAlgorithms> found{};
        int count = 0;
        const cublasStatus_t status =
            f_.heuristic(handle_, description_, weight_, x_, y_, y_, preference, kAlgorithms, found.data(), &count);
        f_.preference_destroy(preference);
        for (int i = 0; status == CUBLAS_STATUS_SUCCESS && i < count; ++i)
            if (found[static_cast<size_t>(i)].state == CUBLAS_STATUS_SUCCESS)
                algorithms_.push_back(found[static_cast<size_t>(i)].algo);
        if (algorithms_.empty()) *reason = "cuBLASLt has no algorithm for it, status " + std::to_string(status);
        return !algorithms_.empty();
    }

    int algorithms() const override { return static_cast<int>(algorithms_.size()); }

    void enqueue(int algorithm, const void* weight, const void* x, void* y, cudaStream_t stream) override {
        const float one = 1, zero = 0;
        const int32_t one_integer = 1, zero_integer = 0;
        const void* alpha = is_int8_ ? static_cast<const void*>(&one_integer) : &one;
        const void* beta = is_int8_ ? static_cast<const void*>(&zero_integer) : &zero;
        check(f_.matmul(handle_, description_, alpha, weight, weight_, x, x_, beta, y, y_, y, y_,
                        &algorithms_[static_cast<size_t>(algorithm)], workspace_.as<>(), static_cast<size_t>(workspace_.bytes()),
                        stream),
              "cublasLtMatmul");
    }

   private:
    void layout(cublasLtMatrixLayout_t* layout, cudaDataType_t type, int64_t rows, int64_t columns) {
        check(f_.layout_create(layout, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), rows),
              "cublasLtMatrixLayoutCreate");
    }

    const Functions& f_;
    cublasLtHandle_t handle_;
    const Buffer& workspace_;
    const bool is_int8_;
    cublasLtMatmulDesc_t description_ = nullptr;
    cublasLtMatrixLayout_t weight_ = nullptr, x_ = nullptr, y_ = nullptr;
    std::vector<cublasLtMatmulAlgo_t> algorithms_;
};

class CublasLt final : public GemmLibrary {
   public:
    explicit CublasLt(const Functions& functions) : f_(functions), workspace_(kWorkspaceBytes) {
        check(f_.create(&handle_), "cublasLtCreate");
    }
    ~CublasLt() override { f_.destroy(handle_); }

    // 130100 -> "13.1.0"
    std::string version() const override {
        const size_t v = f_.version(), thousands = v >= 100000 ? 10000 : 1000;
        return std::to_string(v / thousands) + "." + std::to_string(v % thousands / 100) + "." + std::to_string(v % 100);
    }

    std::unique_ptr<Gemm> gemm(GemmKind kind, int64_t M, int64_t N, int64_t K, std::string* reason) override {
        auto gemm = std::make_unique<LtGemm>(f_, handle_, workspace_, kind, M, N, K);
        if (!gemm->find_algorithms(reason)) return nullptr;
        return gemm;
    }

   private:
    const Functions f_;
    cublasLtHandle_t handle_ = nullptr;
    Buffer workspace_;
};

template <class F>
bool load(void* library, const char* name, F* function) {
    *function = reinterpret_cast<F>(dlsym(library, name));
    return *function != nullptr;
}

}  // namespace

std::unique_ptr<GemmLibrary> open_cublaslt(const std::string& path, std::string* reason) {
    // The header's own version: another one may differ in its structures.
    const std::string soname = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
    // Never closed: graphs that were captured refer to its kernels until the process ends.
    void* library = dlopen(path.empty() ? soname.c_str() : path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr) {
        *reason = dlerror();
        return nullptr;
    }
    Functions f{};
    if (!load(library, "cublasLtCreate", &f.create) || !load(library, "cublasLtDestroy", &f.destroy) ||
        !load(library, "cublasLtGetVersion", &f.version) || !load(library, "cublasLtMatmul", &f.matmul) ||
        !load(library, "cublasLtMatmulDescCreate", &f.description_create) ||
        !load(library, "cublasLtMatmulDescDestroy", &f.description_destroy) ||
        !load(library, "cublasLtMatmulDescSetAttribute", &f.description_set) ||
        !load(library, "cublasLtMatrixLayoutCreate", &f.layout_create) ||
        !load(library, "cublasLtMatrixLayoutDestroy", &f.layout_destroy) ||
        !load(library, "cublasLtMatmulPreferenceCreate", &f.preference_create) ||
        !load(library, "cublasLtMatmulPreferenceDestroy", &f.preference_destroy) ||
        !load(library, "cublasLtMatmulPreferenceSetAttribute", &f.preference_set) ||
        !load(library, "cublasLtMatmulAlgoGetHeuristic", &f.heuristic)) {
        *reason = dlerror();
        return nullptr;
    }
    try {
        auto opened = std::make_unique<CublasLt>(f);
        return opened;
    } catch (const std::exception& error) {
        *reason = error.what();
        return nullptr;
    }
}

}  // namespace halfbyte::benchmark
