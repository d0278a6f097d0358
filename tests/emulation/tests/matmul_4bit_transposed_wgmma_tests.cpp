// The transposed product by warpgroups under emulation, against float64 sums of the weights that halfbyte_dequantize_4bit writes.
#include "tests/transposed_product.h"

using namespace halfbyte;
using test::Format4Bit;

namespace {

struct Case {
    int64_t M, K;
    std::vector<int64_t> N;
    std::vector<Format4Bit> formats = {{}};
    int64_t gap = 0;       // of dx
    bool is_far = false;   // rows of dy lie further apart than they must
    bool spoiled = false;  // dy holds an infinity and a NaN
};

struct Product : test::TransposedProduct<test::RandomWeight4Bit> {
    Product(const Case& at, DType dtype) : TransposedProduct(dtype, at.M, at.K, at.gap) {
        for (size_t i = 0; i < at.N.size(); ++i) {
            auto weight = std::make_unique<test::RandomWeight4Bit>(at.N[i], at.K, at.formats[i % at.formats.size()], 7 + i);
            weight->dequantize(dtype);
            const int64_t gap = (8 - at.N[i] % 8) % 8 + (at.is_far ? 16 : 0);  // TMA reads rows of 16 bytes
            add(std::move(weight), at.spoiled, gap);
        }
    }
};

void check(const Product& product) {
    const test::AskedKernel asked("matmul_4bit_transposed", "wgmma");
    product.check();
}

void check(const Case& at, DType dtype) { check(Product(at, dtype)); }

constexpr DType kTypes[] = {DType::kFloat16, DType::kBFloat16};

}  // namespace

TEST(transposed_wgmma_of_any_shape) {
    test::run_in_order({});
    int turn = 0;
    for (const int64_t M : {1, 17, 64, 65, 128, 200})
        for (const int64_t N : {1, 63, 64, 130, 200})
            for (const int64_t K : {8, 64, 72, 264}) check({M, K, {N}}, kTypes[turn++ % 2]);
}

TEST(transposed_wgmma_in_any_order) {
    for (const DType dtype : kTypes)
        for (const int64_t M : {64, 130})
            for (const int64_t K : {72, 320}) check({M, K, {130}}, dtype);
}

// Blocks straddle rows, tiles are cut at the right edge, and the depth is split.
TEST(transposed_wgmma_of_an_odd_width) {
    test::run_in_order({});
    for (const DType dtype : kTypes) check({65, 4304, {300}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype);
}

TEST(transposed_wgmma_of_every_format) {
    test::run_in_order({});
    for (const int32_t type : {HALFBYTE_QUANT_TYPE_FP4, HALFBYTE_QUANT_TYPE_NF4, HALFBYTE_QUANT_TYPE_CUSTOM})
        for (const bool nested : {false, true})
            for (const int64_t blocksize : {32, 64, 128, 256, 4096})
                for (const int64_t skew : {0, 4}) {  // words, and 16 bytes
                    Format4Bit format{type, blocksize, nested, skew};
                    if (type == HALFBYTE_QUANT_TYPE_FP4) format.nested_blocksize = 32;
                    check({20, 256, {70}, {format}}, DType::kBFloat16);
                    check({20, 264, {70}, {format}}, DType::kBFloat16);
                    check({20, 96, {70}, {format}}, DType::kFloat16);
                }
}

// Rounding errors of a weight hide behind those of a sum; here there is none.
TEST(transposed_wgmma_multiplies_by_dequantized_weights) {
    test::run_in_order({});
    const test::AskedKernel asked("matmul_4bit_transposed", "wgmma");
    for (const DType dtype : kTypes)
        for (const Format4Bit& format : test::every_format())
            for (const int64_t K : {72, 128}) Product({70, K, {70}, {format}}, dtype).check_weight();
}

TEST(transposed_wgmma_of_several_weights) {
    const std::vector<Format4Bit> formats = {
        {}, {HALFBYTE_QUANT_TYPE_FP4, 32, true}, {HALFBYTE_QUANT_TYPE_CUSTOM, 256, false}, {HALFBYTE_QUANT_TYPE_NF4, 4096, true}};
    for (const DType dtype : kTypes)
        for (const int64_t M : {17, 130}) {
            check({M, 96, {70, 33}, formats}, dtype);
            check({M, 72, {5, 33, 0, 130, 40, 1, 64, 7, 9, 0, 33}, formats, 8, true}, dtype);  // two launches
        }
}

TEST(transposed_wgmma_split_in_depth) {
    for (const DType dtype : kTypes) check({100, 40, {1100, 600}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype);
}

TEST(transposed_wgmma_with_gaps) {
    for (const DType dtype : kTypes)
        for (const int64_t gap : {3, 8}) check({70, 136, {40}, {{}}, gap, true}, dtype);
}

TEST(transposed_wgmma_keeps_infinities_in_their_row) {
    for (const DType dtype : kTypes)
        for (const int64_t M : {4, 70}) check({M, 64, {40, 90}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}, 0, false, true}, dtype);
}

// A row of infinite weights, in a stage that is followed by one with fewer rows: nothing of it may be left there, where dy is zero.
TEST(transposed_wgmma_of_infinite_weights) {
    const Case at{20, 64, {70}};
    constexpr size_t kRow = 30;  // a block of its own
    Product product(at, DType::kFloat16);
    auto* absmax = static_cast<float*>(const_cast<void*>(product.descriptors[0].absmax)) + kRow;
    float value = 0;
    cudaMemcpy(&value, absmax, sizeof value, cudaMemcpyDeviceToHost);
    value *= 1e30f;
    cudaMemcpy(absmax, &value, sizeof value, cudaMemcpyHostToDevice);
    for (size_t k = 0; k < 64; ++k) {
        double& weight = product.weights[0]->values[kRow * 64 + k];
        if (weight != 0) weight = std::copysign(std::numeric_limits<double>::infinity(), weight);
    }
    check(product);
}

// More tiles than multiprocessors: blocks go from one to the next.
TEST(transposed_wgmma_of_many_tiles) {
    test::run_in_order({});
    check({64 * 20, 256 * 8 - 8, {70}}, DType::kBFloat16);
}

TEST(transposed_wgmma_refuses_what_it_cannot) {
    const test::AskedKernel asked("matmul_4bit_transposed", "wgmma");
    const auto status = [](const Case& at, DType dtype) { return Product(at, dtype).run(); };
    EXPECT_EQUAL(status({20, 64, {40}}, DType::kFloat32), cudaErrorNotSupported);
    EXPECT_EQUAL(status({20, 60, {40}}, DType::kFloat16), cudaErrorNotSupported);
    EXPECT_EQUAL(status({20, 64, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, false, 2}}}, DType::kFloat16), cudaErrorNotSupported);
    {
        Product product({20, 64, {40}}, DType::kFloat16);
        product.gradients[0].lddy = 41;
        EXPECT_EQUAL(product.run(), cudaErrorNotSupported);
    }
    const test::Architecture before(89);
    EXPECT_EQUAL(status({20, 64, {40}}, DType::kFloat16), cudaErrorNotSupported);
}

// From 17 rows on, if nothing stands against it; one weight or dy that it cannot take sends all of them another way.
TEST(transposed_product_chooses_wgmma_by_rows) {
    test::run_in_order({});
    struct Choice {
        int64_t M, K, skew;  // bytes by which the codes of the second weight lie off their alignment
        const char* kernel;
    };
    for (const auto& [M, K, skew, kernel] :
         {Choice{16, 64, 0, "mma"}, Choice{17, 64, 0, "wgmma"}, Choice{17, 60, 0, "mma"}, Choice{17, 64, 2, "mma"}}) {
        const Product product({M, K, {8, 40}, {{}, {HALFBYTE_QUANT_TYPE_NF4, 64, false, skew}}}, DType::kBFloat16);
        halfbyte::emulation::start_counting();
        product.check();
        bool has_run = false;
        for (const auto& [name, count] : halfbyte::emulation::stop_counting())
            has_run = has_run || name.find(std::string("transposed_") + kernel) != std::string::npos;
        if (!has_run) test::fail(__FILE__, __LINE__, "M=" + std::to_string(M) + " K=" + std::to_string(K) + " not by " + kernel);
    }
}

// Decoded lines and rounded sums: what is written or read at once lies in different banks.
TEST(transposed_wgmma_without_conflicts) {
    test::run_in_order({});
    for (const DType dtype : kTypes)
        for (const int64_t M : {64, 128}) {
            halfbyte::emulation::start_counting();
            check({M, 256, {128}}, dtype);
            const auto counts = halfbyte::emulation::stop_counting();
            EXPECT_EQUAL(counts.size(), 1u);
            for (const auto& [kernel, count] : counts) {
                EXPECT(count.shared_stores > 0 && count.wgmma > 0);
                EXPECT_EQUAL(count.bank_conflicts, 0);
            }
        }
}
