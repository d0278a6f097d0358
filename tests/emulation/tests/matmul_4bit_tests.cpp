// The kernels of the 4-bit product under emulation, against float64 and within the written bound.
#include <algorithm>

#include "cuda/kernel_choice.h"
#include "cuda/kernels.h"
#include "tests/products.h"

using namespace halfbyte;
using test::Format4Bit;

namespace {

struct Case {
    int64_t M, K;
    std::vector<int64_t> N;
    std::vector<Format4Bit> formats = {{}};
    bool bias = false;
    int64_t gap = 0, skew = 0;
};

// A change of x before the product: to put infinities in.
using Spoil = void (*)(std::vector<double>&, int64_t K);

void check(const Case& at, DType dtype, Spoil spoil = nullptr) {
    test::Random random(static_cast<uint64_t>(at.M * 31 + at.K));
    std::vector<double> x = test::random_values(random, at.M * at.K, dtype);
    if (spoil != nullptr) spoil(x, at.K);
    test::DeviceMatrix device_x(dtype, at.M, at.K, at.gap, at.skew);
    device_x.upload(x);

    std::vector<std::unique_ptr<test::RandomWeight4Bit>> weights;
    std::vector<std::unique_ptr<test::DeviceMatrix>> outputs, biases;
    std::vector<std::vector<double>> bias_values;
    std::vector<halfbyte_weight_4bit> descriptors;
    std::vector<halfbyte_output> targets;
    for (size_t i = 0; i < at.N.size(); ++i) {
        weights.push_back(std::make_unique<test::RandomWeight4Bit>(at.N[i], at.K, at.formats[i % at.formats.size()], 7 + i));
        descriptors.push_back(weights[i]->descriptor());
        outputs.push_back(std::make_unique<test::DeviceMatrix>(dtype, at.M, at.N[i], at.gap));
        const DType bias_dtype = test::kProductTypes[i % 3];
        biases.push_back(std::make_unique<test::DeviceMatrix>(bias_dtype, 1, at.N[i]));
        bias_values.push_back(test::random_values(random, at.N[i], bias_dtype));
        biases[i]->upload(bias_values[i]);
        targets.push_back(
            {outputs[i]->data(), outputs[i]->ld(), at.bias ? biases[i]->data() : nullptr, static_cast<int64_t>(bias_dtype)});
    }

    MatMul4Bit op{static_cast<int64_t>(at.N.size()), descriptors.data(), nullptr, dtype, at.M, at.K, at.K, 0, nullptr, nullptr};
    const test::Buffer<uint8_t> workspace(static_cast<size_t>(cuda::matmul_4bit_workspace(op)));
    op.x = device_x.data();
    op.ldx = device_x.ld();
    op.outputs = targets.data();
    op.workspace = workspace.data();
    EXPECT_SUCCESS(cuda::matmul_4bit(op, nullptr));

    for (size_t i = 0; i < at.N.size(); ++i) {
        std::vector<test::Sum> sums(static_cast<size_t>(at.M * at.N[i]));
        for (int64_t m = 0; m < at.M; ++m)
            for (int64_t n = 0; n < at.N[i]; ++n) {
                test::Sum& sum = sums[static_cast<size_t>(m * at.N[i] + n)];
                if (at.bias) sum.add(bias_values[i][static_cast<size_t>(n)]);
                for (int64_t k = 0; k < at.K; ++k)
                    sum.add(x[static_cast<size_t>(m * at.K + k)] * weights[i]->values[static_cast<size_t>(n * at.K + k)]);
            }
        const std::string wrong = test::first_wrong(outputs[i]->download(), sums, at.K, dtype, test::rounding_of_table(dtype));
        if (!wrong.empty())
            test::fail(__FILE__, __LINE__,
                       "M=" + std::to_string(at.M) + " N=" + std::to_string(at.N[i]) + " K=" + std::to_string(at.K) + " dtype " +
                           std::to_string(static_cast<int>(dtype)) + " weight " + std::to_string(i) + ": " + wrong);
        EXPECT(outputs[i]->gaps_are_untouched());
    }
}

}  // namespace

TEST(matmul_4bit_of_any_shape) {
    for (const DType dtype : test::kProductTypes)
        for (const auto& [N, K] : {std::pair<int64_t, int64_t>{1, 1},
                                   {2, 1},
                                   {1, 2},
                                   {3, 31},
                                   {16, 32},
                                   {8, 33},
                                   {33, 63},
                                   {32, 64},
                                   {17, 65},
                                   {129, 100},
                                   {64, 256},
                                   {31, 513},
                                   {5, 0}})
            for (const int64_t M : {1, 2, 3, 5, 65}) check({M, K, {N}}, dtype);
}

TEST(matmul_4bit_on_tensor_cores) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16})
        for (const int64_t M : {5, 17, 65})
            for (const int64_t K : {32, 96, 320})
                for (const int64_t N : {1, 130}) check({M, K, {N}}, dtype);
}

TEST(matmul_4bit_of_every_format) {
    std::vector<Format4Bit> formats;
    for (const int32_t type : {HALFBYTE_QUANT_TYPE_FP4, HALFBYTE_QUANT_TYPE_NF4, HALFBYTE_QUANT_TYPE_CUSTOM})
        for (const bool nested : {false, true})
            for (const int64_t blocksize : {32, 64, 256, 4096}) formats.push_back({type, blocksize, nested});
    std::vector<int64_t> rows;
    for (size_t i = 0; i < formats.size(); ++i) rows.push_back(static_cast<int64_t>(1 + i * 7 % 140));
    rows[3] = 0;
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {1, 3, 20}) {
            check({M, 96, rows, formats, true}, dtype);
            check({M, 130, rows, formats, true, 3}, dtype);
        }
}

TEST(matmul_4bit_of_unaligned_matrices) {
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {1, 2, 9, 33}) {
            check({M, 96, {40}, {{}}, true, 1, 1}, dtype);
            check({M, 96, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, false, 1}}, true, 8}, dtype);
            check({M, 64, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true, 2}}, false, 8}, dtype);
        }
}

TEST(matmul_4bit_split_in_depth) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
        check({6, 4128, {20, 300, 7}, {{}, {HALFBYTE_QUANT_TYPE_FP4, 32, true}}, true, 2}, dtype);
        check({40, 2048, {20}, {{}, {HALFBYTE_QUANT_TYPE_FP4, 32, true}}, false}, dtype);
    }
}

TEST(matmul_4bit_keeps_infinities_in_their_row) {
    const Spoil spoil = [](std::vector<double>& x, int64_t K) {
        x[7] = std::numeric_limits<double>::quiet_NaN();
        x[static_cast<size_t>(K + 63)] = std::numeric_limits<double>::infinity();
        x[static_cast<size_t>(2 * K + 40)] = -std::numeric_limits<double>::infinity();
    };
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {3, 20})
            for (const int64_t K : {130, 128}) {
                // No zero statistics here: infinity times zero is the reference's own business.
                check({M, K, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype, spoil);
            }
}

TEST(matmul_4bit_of_tiny_activations) {
    const Spoil spoil = [](std::vector<double>& x, int64_t) {
        for (double& value : x) value = test::round_to(DType::kBFloat16, static_cast<float>(value * 1e-38));
    };
    for (const int64_t M : {1, 9}) {
        check({M, 96, {20}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, DType::kBFloat16, spoil);
        check({M, 96, {20}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, DType::kFloat32, spoil);
    }
}

// Before sm_80 tensor cores multiply no bfloat16.
TEST(matmul_4bit_before_sm_80) {
    const test::Architecture before(75);
    for (const DType dtype : test::kProductTypes) check({20, 96, {40, 7}, {{}, {HALFBYTE_QUANT_TYPE_FP4, 32, true}}, true}, dtype);
}

// What the file comment of the kernel promises: neither lookups nor the stages of x conflict, and codes are read once.
TEST(matmul_4bit_on_tensor_cores_without_conflicts) {
    test::run_in_order({});
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
        halfbyte::cuda::ask_for_kernel("matmul_4bit", "mma");
        halfbyte::emulation::start_counting();
        check({64, 256, {128}}, dtype);
        const auto counts = halfbyte::emulation::stop_counting();
        halfbyte::cuda::ask_for_kernel("matmul_4bit", "");
        EXPECT_EQUAL(counts.size(), 1u);
        for (const auto& [kernel, count] : counts) {
            EXPECT(kernel.find("matmul_4bit_mma_kernel") != std::string::npos);
            EXPECT_EQUAL(count.bank_conflicts, 0);
            EXPECT_EQUAL(count.mma, 128 / 16 * 64 / 8 * 256 / 16 * (dtype == DType::kFloat16 ? 2 : 3));
            EXPECT_EQUAL(count.barriers, 8 * (256 / 64 + 2));  // one per stage and warp, and two for the end
        }
    }
}
