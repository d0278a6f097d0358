// Which kernels begin while the one before them runs. That these touch no memory before they have waited, and read none of it by
// the read-only path, every test of a product sees (AnyPredecessor); here, that they are launched so at all.
#include <memory>
#include <string>
#include <tuple>

#include "tests/forward_product.h"
#include "tests/transposed_product.h"

using namespace halfbyte;

namespace {

constexpr int64_t kM = 66, kK = 1088;

template <class Product>
void expect_overlap(const Product& product, const std::string& kernel) {
    halfbyte::emulation::start_counting();
    EXPECT_SUCCESS(product.run());
    bool has_run = false;
    for (const auto& [name, count] : halfbyte::emulation::stop_counting()) {
        if (name.find(kernel + "_kernel") == std::string::npos) continue;
        has_run = true;
        if (count.overlapping != count.launches) test::fail(__FILE__, __LINE__, name + " overlaps no kernel before it");
    }
    if (!has_run) test::fail(__FILE__, __LINE__, kernel + " has not run");
}

}  // namespace

TEST(products_overlap_the_kernel_before_them) {
    test::run_in_order({});
    const test::AskedKernel sums("wgmma_sums", "partials");  // so that there are some to add
    for (const auto& [asked, M, kernel] : {std::tuple{"stream", int64_t{4}, "matmul_4bit_stream"},
                                           {"wgmma", kM, "matmul_4bit_wgmma"},
                                           {"wgmma", kM, "add_partials"},
                                           {"chunks", kM, "matmul_16bit_wgmma"},
                                           {"mma", kM, "matmul_4bit_mma"}}) {
        const test::AskedKernel only("matmul_4bit", asked);
        test::ForwardProduct<test::RandomWeight4Bit> product(DType::kBFloat16, M, kK, 0, 0);
        product.add(std::make_unique<test::RandomWeight4Bit>(24, kK, test::Format4Bit{}, 7), true, 0);
        expect_overlap(product, kernel);
    }
    for (const char* asked : {"wgmma", "mma"}) {
        const test::AskedKernel only("matmul_4bit_transposed", asked);
        test::TransposedProduct<test::RandomWeight4Bit> product(DType::kBFloat16, kM, 64, 0);
        product.add(std::make_unique<test::RandomWeight4Bit>(24, 64, test::Format4Bit{}, 7), false, 0);
        expect_overlap(product, std::string("matmul_4bit_transposed_") + asked);
    }
    for (const char* kernel : {"matmul_int8_mma", "finish_matmul_int8"}) {
        test::ForwardProduct<test::RandomWeightInt8> product(DType::kBFloat16, kM, kK, 0, 0);
        product.add(std::make_unique<test::RandomWeightInt8>(24, kK, 7), true, 0);
        expect_overlap(product, kernel);
    }
    test::TransposedProduct<test::RandomWeightInt8> product(DType::kBFloat16, kM, 64, 0);
    product.add(std::make_unique<test::RandomWeightInt8>(24, 64, 7), false, 0);
    expect_overlap(product, "matmul_int8_transposed_mma");
}
