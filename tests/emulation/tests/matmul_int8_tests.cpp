// The kernels of the int8 product under emulation, against the definition in float64 and within the written bound.
#include "tests/forward_product.h"

using namespace halfbyte;

namespace {

struct Case {
    int64_t M, K;
    std::vector<int64_t> N;
    float threshold = 0;
    bool bias = false;
    int64_t gap = 0, skew = 0;
    float scale = 1;
};

// x as halfbyte_quantize_int8_rows has it.
struct Quantized {
    std::vector<int> codes;  // [M, K]
    std::vector<float> absmax;
    std::vector<int64_t> outliers;
};

Quantized quantize(const std::vector<double>& x, const Case& at) {
    Quantized q;
    std::vector<bool> is_outlier(static_cast<size_t>(at.K));
    for (int64_t m = 0; m < at.M; ++m) {
        float absmax = 0;
        for (int64_t k = 0; k < at.K; ++k) {
            const auto value = static_cast<float>(std::abs(x[static_cast<size_t>(m * at.K + k)]));
            if (at.threshold > 0 && value >= at.threshold) is_outlier[static_cast<size_t>(k)] = true;
            else absmax = std::max(absmax, value);
        }
        q.absmax.push_back(absmax);
    }
    for (int64_t m = 0; m < at.M; ++m) {
        const float scale = 127.0f / q.absmax[static_cast<size_t>(m)];
        for (int64_t k = 0; k < at.K; ++k) {
            const float product = static_cast<float>(x[static_cast<size_t>(m * at.K + k)]) * scale;
            const bool is_zero = is_outlier[static_cast<size_t>(k)] || std::isnan(product);
            q.codes.push_back(is_zero ? 0 : static_cast<int>(std::nearbyint(std::fmin(127.0f, std::fmax(-127.0f, product)))));
        }
    }
    for (int64_t k = 0; k < at.K; ++k)
        if (is_outlier[static_cast<size_t>(k)]) q.outliers.push_back(k);
    return q;
}

void check(const Case& at, DType dtype) {
    test::ForwardProduct<test::RandomWeightInt8> product(dtype, at.M, at.K, at.gap, at.skew, nullptr, at.scale);
    for (size_t i = 0; i < at.N.size(); ++i)
        product.add(std::make_unique<test::RandomWeightInt8>(at.N[i], at.K, 7 + i, at.skew), at.bias, at.gap);
    EXPECT_SUCCESS(product.run(at.threshold));

    const Quantized q = quantize(product.x, at);
    for (size_t i = 0; i < at.N.size(); ++i) {
        const test::RandomWeightInt8& weight = *product.weights[i];
        std::vector<test::Sum> sums(static_cast<size_t>(at.M * at.N[i]));
        for (int64_t m = 0; m < at.M; ++m)
            for (int64_t n = 0; n < at.N[i]; ++n) {
                test::Sum& sum = sums[static_cast<size_t>(m * at.N[i] + n)];
                int64_t exact = 0;
                for (int64_t k = 0; k < at.K; ++k)
                    exact += q.codes[static_cast<size_t>(m * at.K + k)] * weight.codes[static_cast<size_t>(n * at.K + k)];
                sum.add(static_cast<double>(exact) * q.absmax[static_cast<size_t>(m)] * weight.absmax[static_cast<size_t>(n)] /
                        (127.0 * 127.0));
                for (const int64_t k : q.outliers)
                    sum.add(product.x[static_cast<size_t>(m * at.K + k)] * weight.values[static_cast<size_t>(n * at.K + k)]);
                sum.add(product.biases[i][static_cast<size_t>(n)]);
            }
        product.check_output(i, sums);
    }
}

}  // namespace

TEST(matmul_int8_of_any_shape) {
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {1, 5, 65}) {
            for (const auto& [N, K] : test::kOddShapes) check({M, K, {N}, K % 2 == 0 ? 0.98f : 0.0f}, dtype);
            check({M, 144, {130}, 0.98f}, dtype);
            check({M, 0, {5}, 0.98f}, dtype);
        }
}

TEST(matmul_int8_of_several_weights) {
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {1, 3, 20}) {
            check({M, 96, {1, 14, 0, 27, 140, 2, 3, 4, 5, 6, 7, 8, 9}, 0.9f, true}, dtype);
            check({M, 100, {1, 14, 0, 27, 140}, 0, true, 3, 1}, dtype);
            check({M, 3072, {20, 7}, 0.999f, true, 8}, dtype);  // split in depth
        }
}

TEST(matmul_int8_with_everything_an_outlier) {
    for (const DType dtype : test::kProductTypes) check({3, 130, {37}, 1e-30f}, dtype);
    check({3, 64, {20}, 6, false, 0, 0, 1e6f}, DType::kFloat32);
}

TEST(matmul_int8_sums_exactly_beyond_int32) {
    // 127 * 127 * 140000 is beyond int32; the last element changes the sum by one.
    const int64_t K = 140001;
    std::vector<int8_t> codes(static_cast<size_t>(K), 127);
    std::vector<float> x(static_cast<size_t>(K), 127.0f), absmax = {127.0f};
    codes.back() = 1;
    x.back() = 1;
    const test::Buffer<int8_t> device_codes(codes);
    const test::Buffer<float> device_x(x), device_absmax(absmax), y(1);
    const halfbyte_weight_int8 weight{device_codes.data(), device_absmax.data(), 1, K, 0};
    const halfbyte_output output{y.data(), 1, nullptr, 0};
    MatMulInt8 op{1, &weight, device_x.data(), DType::kFloat32, 1, K, K, 0, &output, nullptr};
    const test::Buffer<uint8_t> workspace(static_cast<size_t>(cuda::matmul_int8_workspace(op)));
    op.workspace = workspace.data();
    EXPECT_SUCCESS(cuda::matmul_int8(op, nullptr));
    const double expected = 127.0 * 127 * (K - 1) + 1;
    EXPECT(std::abs(y.values()[0] - expected) <= 4 * expected * 0x1p-24);
}

// Neither the stages of x nor the sums on their way out conflict.
TEST(matmul_int8_without_conflicts) {
    test::run_in_order({});
    halfbyte::emulation::start_counting();
    check({64, 256, {128}}, DType::kBFloat16);
    const auto counts = halfbyte::emulation::stop_counting();
    bool found = false;
    for (const auto& [kernel, count] : counts) {
        if (kernel.find("matmul_int8_mma_kernel") == std::string::npos) continue;
        found = true;
        EXPECT_EQUAL(count.bank_conflicts, 0);
        EXPECT_EQUAL(count.mma, 128 / 16 * 64 / 8 * 256 / 32);
    }
    EXPECT(found);
}
