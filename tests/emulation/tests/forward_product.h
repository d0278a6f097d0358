// One call of y_i = x * W_i^T + bias_i on the emulated device: its operands, the call, and the check of what it wrote.
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

inline int64_t workspace_of(const halfbyte::MatMul4Bit& op) { return halfbyte::cuda::matmul_4bit_workspace(op); }
inline int64_t workspace_of(const halfbyte::MatMulInt8& op) { return halfbyte::cuda::matmul_int8_workspace(op); }
inline cudaError_t launch(const halfbyte::MatMul4Bit& op) { return halfbyte::cuda::matmul_4bit(op, nullptr); }
inline cudaError_t launch(const halfbyte::MatMulInt8& op) { return halfbyte::cuda::matmul_int8(op, nullptr); }

// A change of x before the product.
using Spoil = void (*)(std::vector<double>& x, int64_t K);

inline void put_infinities(std::vector<double>& x, int64_t K) {
    x[7] = std::numeric_limits<double>::quiet_NaN();
    x[static_cast<size_t>(K + 63)] = std::numeric_limits<double>::infinity();
    x[static_cast<size_t>(2 * K + 40)] = -std::numeric_limits<double>::infinity();
}

// Rows of x that have a single one: y is then the weight that a kernel multiplies by, to the bit.
inline void put_identity(std::vector<double>& x, int64_t K) {
    for (size_t i = 0; i < x.size(); ++i) x[i] = i / static_cast<size_t>(K) == i % static_cast<size_t>(K);
}

template <class Weight>
struct ForwardProduct {
    using Descriptor = std::remove_cvref_t<decltype(std::declval<Weight>().descriptor())>;

    halfbyte::DType dtype;
    int64_t M, K;
    Random random;
    std::vector<double> x;
    DeviceMatrix device_x;
    std::vector<std::unique_ptr<Weight>> weights;
    std::vector<Descriptor> descriptors;
    std::vector<std::vector<double>> biases;  // zeros where there is none
    std::vector<std::unique_ptr<DeviceMatrix>> device_biases, outputs;
    std::vector<halfbyte_output> targets;

    // x is random, up to `scale`, and lies as DeviceMatrix says.
    ForwardProduct(halfbyte::DType dtype, int64_t M, int64_t K, int64_t gap, int64_t skew, Spoil spoil = nullptr, float scale = 1,
                   uint64_t seed = 0)
        : dtype(dtype),
          M(M),
          K(K),
          random(seed * 1000003 + static_cast<uint64_t>(M * 31 + K)),
          x(random_values(random, M * K, dtype, scale)),
          device_x(dtype, M, K, gap, skew) {
        if (spoil != nullptr) spoil(x, K);
        device_x.upload(x);
    }

    // One more output, whose rows lie `gap` elements further apart than they must, and its bias, of one type or another.
    void add(std::unique_ptr<Weight> weight, bool has_bias, int64_t gap) {
        const int64_t N = weight->descriptor().N;
        const halfbyte::DType bias_dtype = kProductTypes[weights.size() % 3];
        std::vector<double> bias = random_values(random, N, bias_dtype);
        auto device_bias = std::make_unique<DeviceMatrix>(bias_dtype, 1, N);
        device_bias->upload(bias);
        if (!has_bias) bias.assign(bias.size(), 0.0);
        auto output = std::make_unique<DeviceMatrix>(dtype, M, N, gap);
        targets.push_back(
            {output->data(), output->ld(), has_bias ? device_bias->data() : nullptr, static_cast<int64_t>(bias_dtype)});
        outputs.push_back(std::move(output));
        device_biases.push_back(std::move(device_bias));
        biases.push_back(std::move(bias));
        descriptors.push_back(weight->descriptor());
        weights.push_back(std::move(weight));
    }

    cudaError_t run(float threshold = 0) const {
        halfbyte::MatMul<Descriptor> op{
            static_cast<int64_t>(weights.size()), descriptors.data(), nullptr, dtype, M, K, K, threshold, nullptr, nullptr};
        const Buffer<uint8_t> workspace(static_cast<size_t>(workspace_of(op)));
        op.x = device_x.data();
        op.ldx = device_x.ld();
        op.outputs = targets.data();
        op.workspace = workspace.data();
        const AnyPredecessor any;
        return launch(op);
    }

    // y_i in float64; of another weight if its values are given.
    std::vector<Sum> sums(size_t i) const { return sums(i, weights[i]->values); }
    std::vector<Sum> sums(size_t i, const std::vector<double>& values) const {
        const size_t N = biases[i].size(), depth = static_cast<size_t>(K);
        std::vector<Sum> sums(static_cast<size_t>(M) * N);
        for (size_t to = 0; to < sums.size(); ++to) {
            const size_t m = to / N, n = to % N;
            sums[to].add(biases[i][n]);
            for (size_t k = 0; k < depth; ++k) sums[to].add(x[m * depth + k] * values[n * depth + k]);
        }
        return sums;
    }

    // Of an x that put_identity made, with as many rows as columns: y_i is W_i transposed.
    void check_weight(size_t i) const {
        const std::vector<double> y = outputs[i]->download();
        const size_t N = biases[i].size(), depth = static_cast<size_t>(K);
        size_t wrong = 0;
        for (size_t at = 0; at < y.size(); ++at) wrong += y[at] != weights[i]->values[at % N * depth + at / N];
        EXPECT_EQUAL(wrong, 0u);
    }

    void check_output(size_t i, const std::vector<Sum>& expected, Weights enter = Weights::kAsMultiplied) const {
        const std::string wrong = first_wrong(outputs[i]->download(), expected, K, dtype, enter);
        if (!wrong.empty())
            fail(__FILE__, __LINE__,
                 "M=" + std::to_string(M) + " N=" + std::to_string(biases[i].size()) + " K=" + std::to_string(K) + " dtype " +
                     std::to_string(static_cast<int>(dtype)) + " weight " + std::to_string(i) + ": " + wrong);
        EXPECT(outputs[i]->gaps_are_untouched());
    }
};

}  // namespace test
