// Rows of a 4-bit weight under emulation: the values of dequantize_4bit to the bit, nothing written between the rows, and NaN for
// an index that is no row.
#include <cmath>
#include <cstring>

#include "cuda/kernels.h"
#include "tests/products.h"

using namespace halfbyte;

namespace {

struct Lookup {
    int64_t N, K;
    test::Format4Bit format;
    int64_t gap = 0, skew = 0;  // of the output, in elements
    IndexType index_type = IndexType::kInt64;
};

// Rows in a scrambled order, with repetitions; the first and the last are among them.
std::vector<int64_t> some_rows(int64_t N, int64_t M) {
    std::vector<int64_t> rows;
    for (int64_t m = 0; m < M; ++m) rows.push_back(m == 0 ? N - 1 : m == 1 ? 0 : m * m * 7 % N);
    return rows;
}

void check(const Lookup& lookup, const std::vector<int64_t>& rows, DType dtype) {
    const test::RandomWeight4Bit weight(lookup.N, lookup.K, lookup.format, static_cast<uint64_t>(lookup.K));
    const auto M = static_cast<int64_t>(rows.size()), K = lookup.K;
    const test::Buffer<int64_t> wide(rows);
    const test::Buffer<int32_t> narrow(std::vector<int32_t>(rows.begin(), rows.end()));
    const bool is_wide = lookup.index_type == IndexType::kInt64;
    const test::DeviceMatrix output(dtype, M, K, lookup.gap, lookup.skew);
    EXPECT_SUCCESS(cuda::lookup_4bit({weight.descriptor(), is_wide ? static_cast<const void*>(wide.data()) : narrow.data(),
                                      lookup.index_type, M, output.data(), dtype, output.ld()},
                                     nullptr));
    EXPECT(output.gaps_are_untouched());
    const std::vector<double> values = output.download();
    int64_t wrong = 0;
    for (int64_t m = 0; m < M; ++m)
        for (int64_t k = 0; k < K; ++k) {
            const auto row = static_cast<size_t>(rows[static_cast<size_t>(m)] * K + k);
            const double value = values[static_cast<size_t>(m * K + k)];
            wrong += value != test::round_to(dtype, static_cast<float>(weight.values[row]));
        }
    EXPECT_EQUAL(wrong, 0);
}

}  // namespace

TEST(lookup_4bit_equals_its_definition) {
    for (const DType dtype : test::kProductTypes)
        for (const int32_t quant_type : {HALFBYTE_QUANT_TYPE_FP4, HALFBYTE_QUANT_TYPE_NF4, HALFBYTE_QUANT_TYPE_CUSTOM})
            for (const bool nested : {false, true})
                for (const IndexType index_type : {IndexType::kInt32, IndexType::kInt64})
                    check({20, 256, {quant_type, 64, nested}, 0, 0, index_type}, some_rows(20, 9), dtype);
}

TEST(lookup_4bit_of_any_shape) {
    for (const DType dtype : test::kProductTypes)
        for (const int64_t K : {1, 2, 3, 7, 8, 9, 31, 33, 63, 64, 65, 100, 513, 1023, 1024, 1032, 4100})
            for (const int64_t blocksize : {32, 4096})
                check({6, K, {HALFBYTE_QUANT_TYPE_NF4, blocksize, K % 2 == 0}}, some_rows(6, 5), dtype);
}

TEST(lookup_4bit_of_unaligned_tensors) {
    for (const DType dtype : test::kProductTypes)
        for (const int64_t K : {5, 64, 1040, 1041})
            for (const int64_t gap : {0, 1, 8, 13})
                for (const int64_t skew : {0, 1, 2})
                    check({4, K, {HALFBYTE_QUANT_TYPE_NF4, 64, gap == 8, skew}, gap, gap == 13 ? 0 : skew}, some_rows(4, 4), dtype);
    // A row that begins where a segment ends, so that its last element is one too many for a warp's runs.
    check({4, 1018, {}, 0, 7}, some_rows(4, 4), DType::kFloat16);
    check({4, 510, {}, 0, 3}, some_rows(4, 4), DType::kFloat32);
}

// More pieces than the persistent grid has warps.
TEST(lookup_4bit_of_many_rows) {
    check({50, 24, {}}, some_rows(50, 9000), DType::kFloat16);
    check({50, 7, {}, 2}, some_rows(50, 9000), DType::kFloat32);
    check({2, 200000, {}}, some_rows(2, 3), DType::kFloat16);  // of a row
}

// Such an index reads nothing, or the emulator would find it.
TEST(lookup_4bit_of_indices_that_are_no_rows) {
    for (const DType dtype : test::kProductTypes)
        for (const int64_t K : {64, 67}) {
            const int64_t N = 3;
            const test::RandomWeight4Bit weight(N, K, {}, 1);
            const std::vector<int64_t> rows = {2, -1, 0, N, 1, int64_t{1} << 32, INT64_MIN, INT64_MAX, 2};
            const auto M = static_cast<int64_t>(rows.size());
            const test::Buffer<int64_t> indices(rows);
            test::DeviceMatrix output(dtype, M, K, 1);
            output.upload(std::vector<double>(static_cast<size_t>(M * K), 7.0));
            EXPECT_SUCCESS(cuda::lookup_4bit(
                {weight.descriptor(), indices.data(), IndexType::kInt64, M, output.data(), dtype, output.ld()}, nullptr));
            EXPECT(output.gaps_are_untouched());
            const std::vector<double> values = output.download();
            int64_t wrong = 0;
            for (int64_t m = 0; m < M; ++m)
                for (int64_t k = 0; k < K; ++k) {
                    const int64_t row = rows[static_cast<size_t>(m)];
                    const double value = values[static_cast<size_t>(m * K + k)];
                    if (row < 0 || row >= N) wrong += !std::isnan(value);
                    else
                        wrong +=
                            value != test::round_to(dtype, static_cast<float>(weight.values[static_cast<size_t>(row * K + k)]));
                }
            EXPECT_EQUAL(wrong, 0);
        }
    halfbyte_weight_4bit none{};
    none.K = 40;
    none.blocksize = 64;
    none.quant_type = HALFBYTE_QUANT_TYPE_NF4;
    const test::Buffer<int32_t> indices(std::vector<int32_t>{0, -5});
    test::DeviceMatrix output(DType::kFloat32, 2, 40);
    output.upload(std::vector<double>(80, 7.0));
    EXPECT_SUCCESS(
        cuda::lookup_4bit({none, indices.data(), IndexType::kInt32, 2, output.data(), DType::kFloat32, output.ld()}, nullptr));
    for (const double value : output.download()) EXPECT(std::isnan(value));
}

// What the file comment of the kernel promises. A row is five pieces, which do not divide the grid's warps, and each is made once.
TEST(lookup_4bit_costs_what_it_says) {
    const int64_t M = 100, K = 5120, n = M * K;
    const test::RandomWeight4Bit weight(16, K, {}, 1);
    const test::Buffer<int64_t> indices(some_rows(16, M));
    const test::DeviceMatrix output(DType::kBFloat16, M, K);
    test::run_in_order({});
    emulation::start_counting();
    EXPECT_SUCCESS(cuda::lookup_4bit(
        {weight.descriptor(), indices.data(), IndexType::kInt64, M, output.data(), DType::kBFloat16, output.ld()}, nullptr));
    const auto counts = emulation::stop_counting();
    EXPECT_EQUAL(counts.size(), 1u);
    for (const auto& [kernel, count] : counts) {
        EXPECT(kernel.find("lookup_4bit_kernel<__nv_bfloat16, false, true>") != std::string::npos);
        const int64_t runs = n / 8 / 32, pieces = runs / 4;  // by warps
        EXPECT_EQUAL(count.global_stores, runs);             // 16 bytes per lane
        EXPECT_EQUAL(count.global_loads, 2 * runs + pieces);
        EXPECT_EQUAL(count.global_store_bytes, 2 * n);
        // Each byte once; a warp's statistics are one sector, and so is its index.
        EXPECT_EQUAL(count.global_sectors, (2 * n + n / 2) / 32 + runs + pieces);
        EXPECT_EQUAL(count.shared_loads, n / 32);  // one lookup per element
        EXPECT_EQUAL(count.bank_conflicts, 0);
    }
}
