// One call of dx = sum of dy_i * W_i on the emulated device: its operands, the call, and the check of what it wrote.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cuda/kernels.h"
#include "tests/products.h"

namespace test {

inline int64_t workspace_of(const halfbyte::MatMul4BitTransposed& op) {
    return halfbyte::cuda::matmul_4bit_transposed_workspace(op);
}
inline int64_t workspace_of(const halfbyte::MatMulInt8Transposed& op) {
    return halfbyte::cuda::matmul_int8_transposed_workspace(op);
}
inline cudaError_t launch(const halfbyte::MatMul4BitTransposed& op) { return halfbyte::cuda::matmul_4bit_transposed(op, nullptr); }
inline cudaError_t launch(const halfbyte::MatMulInt8Transposed& op) { return halfbyte::cuda::matmul_int8_transposed(op, nullptr); }

template <class Weight>
struct TransposedProduct {
    using Descriptor = std::remove_cvref_t<decltype(std::declval<Weight>().descriptor())>;

    halfbyte::DType dtype;
    int64_t M, K, terms = 0;
    Random random;
    std::vector<std::unique_ptr<Weight>> weights;
    std::vector<Descriptor> descriptors;
    std::vector<std::vector<double>> dy;
    std::vector<std::unique_ptr<DeviceMatrix>> device_dy;
    std::vector<halfbyte_gradient> gradients;
    DeviceMatrix dx;

    TransposedProduct(halfbyte::DType dtype, int64_t M, int64_t K, int64_t gap)
        : dtype(dtype), M(M), K(K), random(static_cast<uint64_t>(M * 31 + K)), dx(dtype, M, K, gap) {}

    // One more weight, and a dy whose rows lie as DeviceMatrix says; an infinity and a NaN in the first two of them, if spoiled.
    void add(std::unique_ptr<Weight> weight, bool is_spoiled, int64_t gap, int64_t skew = 0) {
        const int64_t N = weight->descriptor().N;
        std::vector<double> values = random_values(random, M * N, dtype);
        if (is_spoiled) {
            values[0] = std::numeric_limits<double>::infinity();
            values[static_cast<size_t>(N + 5)] = std::numeric_limits<double>::quiet_NaN();
        }
        auto matrix = std::make_unique<DeviceMatrix>(dtype, M, N, gap, skew);
        matrix->upload(values);
        gradients.push_back({matrix->data(), matrix->ld()});
        device_dy.push_back(std::move(matrix));
        dy.push_back(std::move(values));
        descriptors.push_back(weight->descriptor());
        weights.push_back(std::move(weight));
        terms += N;
    }

    cudaError_t run() const {
        halfbyte::MatMulTransposed<Descriptor> op{
            static_cast<int64_t>(weights.size()), descriptors.data(), nullptr, dtype, M, K, nullptr, K, nullptr};
        const Buffer<uint8_t> workspace(static_cast<size_t>(workspace_of(op)));
        op.gradients = gradients.data();
        op.dx = dx.data();
        op.lddx = dx.ld();
        op.workspace = workspace.data();
        const AnyPredecessor any;
        return launch(op);
    }

    // dx in float64.
    std::vector<Sum> sums() const {
        std::vector<Sum> sums(static_cast<size_t>(M * K));
        for (size_t i = 0; i < weights.size(); ++i) {
            const int64_t N = descriptors[i].N;
            for (int64_t m = 0; m < M; ++m)
                for (int64_t n = 0; n < N; ++n)
                    for (int64_t k = 0; k < K; ++k)
                        sums[static_cast<size_t>(m * K + k)].add(dy[i][static_cast<size_t>(m * N + n)] *
                                                                 weights[i]->values[static_cast<size_t>(n * K + k)]);
        }
        return sums;
    }

    // With a single one in each row of the only dy, dx is the weight that the kernel multiplies by, to the bit.
    void check_weight() {
        const size_t N = static_cast<size_t>(descriptors[0].N), width = static_cast<size_t>(K);
        for (size_t i = 0; i < dy[0].size(); ++i) dy[0][i] = i / N == i % N;
        device_dy[0]->upload(dy[0]);
        EXPECT_SUCCESS(run());
        const std::vector<double> actual = dx.download();
        size_t wrong = 0;
        for (size_t i = 0; i < actual.size(); ++i) wrong += actual[i] != (i / width < N ? weights[0]->values[i] : 0);
        EXPECT_EQUAL(wrong, 0u);
    }

    void check(Weights enter = Weights::kAsMultiplied) const {
        EXPECT_SUCCESS(run());
        const std::string wrong = first_wrong(dx.download(), sums(), terms, dtype, enter);
        if (!wrong.empty())
            fail(__FILE__, __LINE__,
                 "M=" + std::to_string(M) + " N=" + std::to_string(descriptors[0].N) + " K=" + std::to_string(K) + " dtype " +
                     std::to_string(static_cast<int>(dtype)) + ": " + wrong);
        EXPECT(dx.gaps_are_untouched());
    }
};

}  // namespace test
