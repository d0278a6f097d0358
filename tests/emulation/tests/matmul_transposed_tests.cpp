// The kernels of the transposed products under emulation, against float64 and within the written bound.
#include <cstdio>
#include <string_view>
#include <type_traits>

#include "tests/transposed_product.h"

using namespace halfbyte;
using test::Format4Bit;

namespace {

struct Case {
    int64_t M, K;
    std::vector<int64_t> N;
    std::vector<Format4Bit> formats = {{}};
    int64_t gap = 0, skew = 0;
    const char* kernel = "";  // of the 4-bit product
};

template <class Weight>
void check_product(const Case& at, DType dtype, bool spoil) {
    const test::AskedKernel asked("matmul_4bit_transposed", at.kernel);
    // The kernel that is chosen may round weights; of "mma" it is known how. int8 weights are never rounded.
    const bool is_mma = at.kernel == std::string_view("mma");
    constexpr bool is_4_bit = std::is_same_v<Weight, test::RandomWeight4Bit>;
    test::TransposedProduct<Weight> product(dtype, at.M, at.K, at.gap);
    for (size_t i = 0; i < at.N.size(); ++i) {
        std::unique_ptr<Weight> weight;
        if constexpr (is_4_bit) {
            weight = std::make_unique<Weight>(at.N[i], at.K, at.formats[i % at.formats.size()], 7 + i);
            if (is_mma) weight->dequantize(dtype);
        } else {
            weight = std::make_unique<Weight>(at.N[i], at.K, 7 + i, at.skew);
        }
        product.add(std::move(weight), spoil, at.gap, at.skew);
    }
    product.check(is_4_bit && !is_mma ? test::Weights::kExact : test::Weights::kAsMultiplied);
}

void check(const Case& at, DType dtype, bool spoil = false) {
    check_product<test::RandomWeight4Bit>(at, dtype, spoil);
    check_product<test::RandomWeightInt8>(at, dtype, spoil);
}

void check_mma(Case at, DType dtype, bool spoil = false) {
    at.kernel = "mma";
    check_product<test::RandomWeight4Bit>(at, dtype, spoil);
}

}  // namespace

TEST(transposed_products_of_any_shape) {
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {1, 5, 65}) {
            for (const auto& [N, K] : test::kOddShapes) check({M, K, {N}}, dtype);
            check({M, 136, {40}}, dtype);
            check({M, 5, {0}}, dtype);
        }
}

TEST(transposed_products_of_several_weights) {
    const std::vector<Format4Bit> formats = {
        {}, {HALFBYTE_QUANT_TYPE_FP4, 32, true}, {HALFBYTE_QUANT_TYPE_CUSTOM, 256, false}, {HALFBYTE_QUANT_TYPE_NF4, 4096, true}};
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {1, 20}) {
            check({M, 96, {5, 33, 0, 64, 40}, formats}, dtype);
            check({M, 75, {5, 33, 0, 64, 40}, formats, 3, 1}, dtype);
            check({M, 64, {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 33}, formats, 8}, dtype);  // two launches
        }
}

TEST(transposed_products_on_tensor_cores) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
        for (const int64_t M : {1, 16, 17, 64, 65, 129, 200})
            for (const auto& [N, K] : {std::pair<int64_t, int64_t>{1, 16}, {31, 48}, {257, 64}, {96, 320}, {130, 136}, {40, 33}})
                check_mma({M, K, {N}}, dtype);
        check_mma({70, 144, {40}, {{}}, 3, 1}, dtype);                                     // dy that is not aligned
        check_mma({130, 144, {41}, {{HALFBYTE_QUANT_TYPE_NF4, 64, false, 1}}, 8}, dtype);  // codes that are not
        check_mma({5, 4304, {40}}, dtype);
        check_mma({129, 32, {4304}}, dtype);
    }
}

// What lies beyond the last row of a weight is zero, and not the value of code 0 times zero.
TEST(transposed_products_on_tensor_cores_of_a_table_with_an_infinity) {
    Format4Bit format{HALFBYTE_QUANT_TYPE_CUSTOM, 32, false};
    format.first_is_infinite = true;
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16})
        for (const int64_t K : {33, 80}) check_mma({20, K, {40}, {format}}, dtype);
}

TEST(transposed_products_on_tensor_cores_of_every_format) {
    const std::vector<Format4Bit> formats = test::every_format();
    const std::vector<int64_t> rows = test::many_sizes(formats.size(), 70);
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16})
        for (const int64_t M : {20, 70})
            for (const int64_t K : {75, 80, 96}) check_mma({M, K, rows, formats, M == 20 ? 3 : 8}, dtype);
}

// Rounding errors of a weight hide behind those of a sum; here there is none.
TEST(transposed_products_on_tensor_cores_multiply_by_dequantized_weights) {
    test::run_in_order({});
    const test::AskedKernel asked("matmul_4bit_transposed", "mma");
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16})
        for (const Format4Bit& format : test::every_format())
            for (const int64_t K : {72, 80}) {
                test::TransposedProduct<test::RandomWeight4Bit> product(dtype, 70, K, 0);
                auto weight = std::make_unique<test::RandomWeight4Bit>(70, K, format, 7);
                weight->dequantize(dtype);
                product.add(std::move(weight), false, 0);
                product.check_weight();
            }
}

TEST(transposed_products_split_in_depth) {
    for (const DType dtype : test::kProductTypes) check({3, 40, {1100, 600}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype);
}

TEST(transposed_products_keep_infinities_in_their_row) {
    for (const DType dtype : test::kProductTypes) check({4, 64, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype, true);
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16})
        check_mma({130, 80, {40, 7, 24}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype, true);  // the second dy is not aligned
}

// Before sm_80 there are no tensor-core products of bfloat16.
TEST(transposed_products_before_sm_80) {
    const test::Architecture before(75);
    for (const DType dtype : test::kProductTypes) {
        check({20, 75, {5, 33, 0, 64, 40}}, dtype);
        check({70, 130, {40}}, dtype, true);
    }
    check_mma({130, 144, {40, 7}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, DType::kFloat16, true);
    check_mma({20, 33, {40}, {{}}, 1, 1}, DType::kFloat16);
}

// Tiles and sums in shared memory: what is read or written at once lies in different banks.
TEST(transposed_products_without_conflicts) {
    test::run_in_order({});
    for (const int64_t M : {16, 64, 128})
        for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
            halfbyte::emulation::start_counting();
            Case at{M, 256, {64}};
            at.kernel = "mma";
            check(at, dtype);
            const auto counts = halfbyte::emulation::stop_counting();
            int64_t found = 0;
            for (const auto& [kernel, count] : counts) {
                if (kernel.find("transposed_mma_kernel") == std::string::npos) continue;
                ++found;
                EXPECT_EQUAL(count.bank_conflicts, 0);
                if (kernel.find("4bit") == std::string::npos) continue;
                const int64_t blocks = 2, steps = 64 / 32;
                EXPECT_EQUAL(count.mma, M / 8 * 256 / 16 * 64 / 16);
                EXPECT_EQUAL(count.async_copies, blocks * M * 64 * 2 / 16 / 32);
                EXPECT_EQUAL(count.permutes, 64 * 256 / 16 * (8 + 2 * 2 * 7) / 32);  // a table for 16 codes, and their lookup
                EXPECT_EQUAL(count.barriers, blocks * 4 * (2 + steps + 2 * ((M + 63) / 64)));  // of warps
                std::printf("    M=%d: %d passes over the banks, %d of them conflicts, %d sectors\n", static_cast<int>(M),
                            static_cast<int>(count.shared_wavefronts), static_cast<int>(count.bank_conflicts),
                            static_cast<int>(count.global_sectors));
            }
            EXPECT_EQUAL(found, 2);
        }
}
