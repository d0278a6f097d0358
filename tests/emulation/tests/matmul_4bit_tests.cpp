// The kernels of the 4-bit product under emulation, against float64 and within the written bound.
#include <algorithm>
#include <cstdio>
#include <string_view>

#include "tests/forward_product.h"

using namespace halfbyte;
using test::Format4Bit;
using test::Spoil;

namespace {

struct Case {
    int64_t M, K;
    std::vector<int64_t> N;
    std::vector<Format4Bit> formats = {{}};
    bool bias = false;
    int64_t gap = 0, skew = 0;
    const char* kernel = "";
};

// Whether weights enter as dequantization would write them, which Hopper's own tensor instructions want.
bool is_rounded(const Case& at, DType dtype) { return dtype != DType::kFloat32 && at.M > 64 && at.K > 0 && at.K % 16 == 0; }

// The kernel that is chosen may round weights; of "mma" it is known how.
void check(const Case& at, DType dtype, Spoil spoil = nullptr) {
    const test::AskedKernel asked("matmul_4bit", at.kernel);
    const bool is_mma = at.kernel == std::string_view("mma");
    test::ForwardProduct<test::RandomWeight4Bit> product(dtype, at.M, at.K, at.gap, at.skew, spoil);
    for (size_t i = 0; i < at.N.size(); ++i) {
        auto weight = std::make_unique<test::RandomWeight4Bit>(at.N[i], at.K, at.formats[i % at.formats.size()], 7 + i);
        if (is_mma || is_rounded(at, dtype)) weight->dequantize(dtype);
        product.add(std::move(weight), at.bias, at.gap);
    }
    EXPECT_SUCCESS(product.run());
    for (size_t i = 0; i < at.N.size(); ++i)
        product.check_output(i, product.sums(i), is_mma ? test::Weights::kAsMultiplied : test::Weights::kExact);
}

void check_mma(Case at, DType dtype, Spoil spoil = nullptr) {
    at.kernel = "mma";
    check(at, dtype, spoil);
}

}  // namespace

TEST(matmul_4bit_of_any_shape) {
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {1, 2, 3, 5, 65}) {
            for (const auto& [N, K] : test::kOddShapes) check({M, K, {N}}, dtype);
            check({M, 0, {5}}, dtype);
        }
}

TEST(matmul_4bit_on_tensor_cores) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
        for (const int64_t M : {1, 65, 100, 128, 129, 200})
            for (const int64_t K : {16, 48, 64, 96}) check_mma({M, K, {1, 130, 257}}, dtype);
        check_mma({129, 320, {1, 257}}, dtype);
        check_mma({20, 4304, {1, 130}}, dtype);
        check_mma({129, 4304, {3}}, dtype);
    }
}

// Rows that begin in the middle of a block, tables of all kinds, weights and outputs of different sizes in one launch.
TEST(matmul_4bit_on_tensor_cores_of_every_format) {
    const std::vector<Format4Bit> formats = test::every_format();
    const std::vector<int64_t> rows = test::many_sizes(formats.size(), 140);
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16})
        for (const int64_t M : {20, 70})
            for (const int64_t K : {80, 96}) check_mma({M, K, rows, formats, true, M == 20 ? 3 : 8}, dtype);
}

// Rounding errors of a weight hide behind those of a sum; here there is none.
TEST(matmul_4bit_on_tensor_cores_multiplies_by_dequantized_weights) {
    test::run_in_order({});
    const test::AskedKernel asked("matmul_4bit", "mma");
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
        test::ForwardProduct<test::RandomWeight4Bit> product(dtype, 80, 80, 0, 0, test::put_identity);
        for (const Format4Bit& format : test::every_format()) {
            auto weight = std::make_unique<test::RandomWeight4Bit>(50, 80, format, 7);
            weight->dequantize(dtype);
            product.add(std::move(weight), false, 0);
        }
        EXPECT_SUCCESS(product.run());
        for (size_t i = 0; i < product.weights.size(); ++i) product.check_weight(i);
    }
}

TEST(matmul_4bit_on_tensor_cores_of_unaligned_activations) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
        check_mma({66, 96, {40}, {{}}, true, 0, 1}, dtype);
        check_mma({66, 96, {40}, {{}}, true, 1, 0}, dtype);
        check_mma({66, 4304, {40}, {{}}, true, 3, 5}, dtype);
    }
}

// What lies beyond the end of a row or of a weight is zero, and not the value of code 0 times zero.
TEST(matmul_4bit_on_tensor_cores_of_a_table_with_an_infinity) {
    Format4Bit format{HALFBYTE_QUANT_TYPE_CUSTOM, 32, false};
    format.first_is_infinite = true;
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16})
        for (const int64_t M : {20, 70}) check_mma({M, 80, {20}, {format}}, dtype);
}

TEST(matmul_4bit_on_tensor_cores_keeps_infinities_in_their_row) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16})
        for (const int64_t K : {80, 128, 208})
            check_mma({70, K, {40, 20}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}, {HALFBYTE_QUANT_TYPE_FP4, 32, false}}}, dtype,
                      test::put_infinities);
}

TEST(matmul_4bit_of_every_format) {
    const std::vector<Format4Bit> formats = test::every_format();
    const std::vector<int64_t> rows = test::many_sizes(formats.size(), 140);
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {1, 3, 20}) {
            check({M, 96, rows, formats, true}, dtype);
            check({M, 130, rows, formats, true, 3}, dtype);
        }
}

TEST(matmul_4bit_of_unaligned_matrices) {
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {1, 2, 9, 33, 65}) {
            check({M, 96, {40}, {{}}, true, 1, 1}, dtype);
            check({M, 96, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, false, 1}}, true, 8}, dtype);
            check({M, 64, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true, 2}}, false, 8}, dtype);
            check({M, 64, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, false, 4}}, false, 8}, dtype);
        }
}

TEST(matmul_4bit_split_in_depth) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
        check({6, 4128, {20, 300, 7}, {{}, {HALFBYTE_QUANT_TYPE_FP4, 32, true}}, true, 2}, dtype);
        check({40, 2048, {20}, {{}, {HALFBYTE_QUANT_TYPE_FP4, 32, true}}, false}, dtype);
    }
}

TEST(matmul_4bit_keeps_infinities_in_their_row) {
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {3, 20})
            for (const int64_t K : {130, 128}) {
                // No zero statistics here: infinity times zero is the reference's own business.
                check({M, K, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype, test::put_infinities);
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

// A kernel that was asked for and cannot take the shape says so, rather than leaving rows of y as they were.
TEST(matmul_4bit_asked_of_a_kernel_that_cannot) {
    const auto refuses = [](const char* kernel, int64_t M, int64_t N, int64_t K) {
        const test::AskedKernel asked("matmul_4bit", kernel);
        halfbyte_weight_4bit weight{};
        weight.N = N;
        weight.K = K;
        weight.blocksize = 64;
        weight.quant_type = HALFBYTE_QUANT_TYPE_NF4;
        const halfbyte_output output{nullptr, N, nullptr, 0};
        const MatMul4Bit op{1, &weight, nullptr, DType::kBFloat16, M, K, K, 0, &output, nullptr};
        return cuda::matmul_4bit_workspace(op) == 0 && cuda::matmul_4bit(op, nullptr) == cudaErrorNotSupported;
    };
    EXPECT(refuses("rows", 5, 8, 64));
    EXPECT(refuses("stream", 65, 8, 64));
    // Positions of 32 bits, and 65535 parts of K at the most.
    EXPECT(refuses("stream", 1, 32, int64_t{1} << 28));
    EXPECT(refuses("stream", 1, int64_t{1} << 31, 16));
    EXPECT(refuses("stream", 1, 1, (int64_t{1} << 31) + 16));
}

// Before sm_80 tensor cores multiply no bfloat16, and copies pass through registers.
TEST(matmul_4bit_before_sm_80) {
    const test::Architecture before(75);
    for (const DType dtype : test::kProductTypes) check({20, 96, {40, 7}, {{}, {HALFBYTE_QUANT_TYPE_FP4, 32, true}}, true}, dtype);
    check_mma({130, 336, {140, 7}, {{}, {HALFBYTE_QUANT_TYPE_FP4, 32, true}}, true}, DType::kFloat16);
    check_mma({70, 80, {40}, {{}}, true, 1, 1}, DType::kFloat16);
}

// What the file comment of the kernel promises: nothing in shared memory conflicts, and each weight is decoded once.
TEST(matmul_4bit_on_tensor_cores_without_conflicts) {
    test::run_in_order({});
    for (const int64_t M : {64, 128}) {
        halfbyte::emulation::start_counting();
        check_mma({M, 256, {128}}, DType::kBFloat16);
        const auto counts = halfbyte::emulation::stop_counting();
        EXPECT_EQUAL(counts.size(), 1u);
        for (const auto& [kernel, count] : counts) {
            EXPECT(kernel.find("matmul_4bit_mma_kernel") != std::string::npos);
            EXPECT_EQUAL(count.bank_conflicts, 0);
            EXPECT_EQUAL(count.mma, 128 / 16 * M / 8 * 256 / 16);
            EXPECT_EQUAL(count.async_copies, M * 256 * 2 / 16 / 32);
            EXPECT_EQUAL(count.barriers, 4 * (256 / 64 + 2 * M / 64));  // of warps
            // Where lanes of a warp take turns, a few of their instructions are counted as two.
            const auto is_about = [](int64_t counted, int64_t expected) {
                return counted >= expected && counted <= expected + expected / 64;
            };
            EXPECT(is_about(count.permutes, 128 * 256 / 16 * (8 + 2 * 2 * 7) / 32));  // a table for 16 codes, and their lookup
            EXPECT(is_about(count.shared_loads, 256 / 64 * 4 * (2 * M / 8 + 4 * 4) + M * 128 / 32));  // of warps: x, tables; sums
            std::printf("    M=%d: %d passes over the banks, %d of them conflicts, %d sectors\n", static_cast<int>(M),
                        static_cast<int>(count.shared_wavefronts), static_cast<int>(count.bank_conflicts),
                        static_cast<int>(count.global_sectors));
        }
    }
}
