// Row-wise int8 both ways under emulation, bit for bit what the definition gives.
#include <numeric>

#include "cuda/kernels.h"
#include "tests/definitions.h"

using namespace halfbyte;

namespace {

struct Shape {
    int64_t rows, cols, gap = 0;  // elements between the rows of the input
    float threshold = 0;
    float scale = 1;
    int64_t offset = 0;       // elements by which the tensors lie off their alignment
    int64_t outliers = 1000;  // one in so many elements is larger than the threshold
};

struct Rows {
    std::vector<int8_t> codes;
    std::vector<float> absmax;
    std::vector<int64_t> columns;
};

Rows defined(const std::vector<float>& x, const Shape& shape) {
    Rows result;
    std::vector<bool> is_outlier(static_cast<size_t>(shape.cols));
    const auto at = [&](int64_t r, int64_t c) { return x[static_cast<size_t>(r * (shape.cols + shape.gap) + c)]; };
    for (int64_t r = 0; r < shape.rows; ++r) {
        float absmax = 0;
        for (int64_t c = 0; c < shape.cols; ++c) {
            const float magnitude = std::fabs(at(r, c));
            if (shape.threshold > 0 && magnitude >= shape.threshold) is_outlier[static_cast<size_t>(c)] = true;
            else if (magnitude > absmax) absmax = magnitude;
        }
        result.absmax.push_back(absmax);
    }
    for (int64_t r = 0; r < shape.rows; ++r) {
        const float scale = 127.0f / result.absmax[static_cast<size_t>(r)];
        for (int64_t c = 0; c < shape.cols; ++c) {
            const float product = at(r, c) * scale;
            const float code = std::isnan(product) || is_outlier[static_cast<size_t>(c)] ? 0.0f : std::nearbyint(product);
            result.codes.push_back(static_cast<int8_t>(std::clamp(code, -127.0f, 127.0f)));
        }
    }
    for (int64_t c = 0; c < shape.cols; ++c)
        if (is_outlier[static_cast<size_t>(c)]) result.columns.push_back(c);
    return result;
}

void check(DType dtype, const Shape& shape) {
    const int64_t ld = shape.cols + shape.gap, n = std::max<int64_t>(0, (shape.rows - 1) * ld + shape.cols);
    std::vector<uint8_t> input = test::elements(n + shape.offset, dtype, shape.scale);
    if (shape.threshold > 0) {
        test::Random random(static_cast<uint64_t>(n));
        for (int64_t i = 0; i < n / shape.outliers; ++i) {  // some, in few columns; among them the threshold itself
            std::vector<uint8_t> element;
            test::append(element, dtype, shape.threshold * (i % 3 == 0 ? 1.0f : i % 3 == 1 ? -1.5f : 3.0f));
            const int64_t where = random.between(0, static_cast<int>(shape.rows - 1)) * ld +
                                  random.between(0, static_cast<int>(std::min<int64_t>(shape.cols - 1, 40)));
            std::copy(element.begin(), element.end(), input.begin() + (shape.offset + where) * size_of(dtype));
        }
    }
    const auto skipped = static_cast<size_t>(shape.offset * size_of(dtype));
    const Rows expected = defined(test::floats(input.data() + skipped, n, dtype), shape);

    const test::Buffer<uint8_t> device_input(input);
    const test::Buffer<int8_t> codes(static_cast<size_t>(shape.rows * shape.cols + shape.offset));
    const test::Buffer<float> absmax(static_cast<size_t>(shape.rows));
    const test::Buffer<int64_t> columns(static_cast<size_t>(shape.cols)), count(1);
    const test::Buffer<uint8_t> workspace(
        static_cast<size_t>(cuda::quantize_int8_rows_workspace(shape.rows, shape.cols, shape.threshold)));
    EXPECT_SUCCESS(
        cuda::quantize_int8_rows({device_input.data() + skipped, dtype, shape.rows, shape.cols, ld, shape.threshold,
                                  codes.data() + shape.offset, absmax.data(), columns.data(), count.data(), workspace.data()},
                                 nullptr));
    const std::vector<int8_t> all = codes.values();
    EXPECT(std::vector<int8_t>(all.begin() + shape.offset, all.end()) == expected.codes);
    EXPECT(absmax.values() == expected.absmax);
    if (!(shape.threshold > 0)) return;
    EXPECT_EQUAL(count.values()[0], static_cast<int64_t>(expected.columns.size()));
    const std::vector<int64_t> listed = columns.values();
    EXPECT(std::equal(expected.columns.begin(), expected.columns.end(), listed.begin()));
}

void check_dequantize(DType dtype, int64_t N, int64_t K, int64_t offset) {
    test::Random random(static_cast<uint64_t>(N * K));
    std::vector<int8_t> codes(static_cast<size_t>(N * K + offset));
    std::vector<float> absmax(static_cast<size_t>(N));
    for (int8_t& code : codes) code = static_cast<int8_t>(random.next());
    for (float& value : absmax) value = random.uniform() * 5;
    std::vector<uint8_t> expected;
    for (int64_t i = 0; i < N * K; ++i) {
        const float product = static_cast<float>(codes[static_cast<size_t>(i + offset)]) * absmax[static_cast<size_t>(i / K)];
        test::append(expected, dtype, product * (1.0f / 127.0f));
    }
    const auto skipped = static_cast<size_t>(offset * size_of(dtype));
    const test::Buffer<int8_t> device_codes(codes);
    const test::Buffer<float> device_absmax(absmax);
    const test::Buffer<uint8_t> output(expected.size() + skipped);
    EXPECT_SUCCESS(cuda::dequantize_int8(
        {{device_codes.data() + offset, device_absmax.data(), N, K, 0}, output.data() + skipped, dtype}, nullptr));
    const std::vector<uint8_t> all = output.values();
    EXPECT(std::vector<uint8_t>(all.begin() + static_cast<int64_t>(skipped), all.end()) == expected);
}

}  // namespace

TEST(quantize_int8_rows_equals_its_definition) {
    for (const DType dtype : test::kTypes)
        for (const float threshold : {0.0f, 0.4f, 6.0f})
            for (const int64_t cols : {1, 5, 8, 31, 64, 96, 777, 1024, 1032, 4096, 5000}) check(dtype, {9, cols, 0, threshold});
}

TEST(quantize_int8_rows_of_strided_and_unaligned_rows) {
    for (const DType dtype : test::kTypes)
        for (const float threshold : {0.0f, 6.0f})
            for (const int64_t offset : {0, 1, 3})
                for (const int64_t gap : {1, 8, 19}) check(dtype, {5, 264, gap, threshold, 1, offset});
}

// Rows by 16 and 32 warps, and rows that registers do not hold.
TEST(quantize_int8_rows_of_long_rows) {
    for (const DType dtype : test::kTypes)
        for (const float threshold : {0.0f, 6.0f})
            for (const int64_t cols : {16384, 20000, 32768, 33003, 70000}) check(dtype, {2, cols, 0, threshold});
}

TEST(quantize_int8_rows_of_extreme_rows) {
    for (const DType dtype : test::kTypes)
        for (const float scale : {0.0f, 0x1p-147f, 0x1p-122f, 0x1p-24f, 0x1p14f, 0x1p127f}) check(dtype, {20, 200, 0, 0, scale});
    check(DType::kFloat32, {20, 200, 0, std::numeric_limits<float>::infinity()});
    check(DType::kFloat32, {20, 200, 0, 1e-45f});  // everything but zero is an outlier
}

TEST(quantize_int8_rows_of_nothing) {
    for (const float threshold : {0.0f, 6.0f}) {
        check(DType::kFloat32, {3, 0, 0, threshold});
        check(DType::kFloat32, {0, 3, 0, threshold});
    }
}

// What the file comment of the kernel promises.
TEST(quantize_int8_rows_reads_once) {
    const int64_t rows = 8, cols = 4096;
    const test::Buffer<uint8_t> input(test::elements(rows * cols, DType::kBFloat16, 1));
    const test::Buffer<int8_t> codes(rows * cols);
    const test::Buffer<float> absmax(rows);
    test::run_in_order({});
    halfbyte::emulation::start_counting();
    EXPECT_SUCCESS(cuda::quantize_int8_rows(
        {input.data(), DType::kBFloat16, rows, cols, cols, 0, codes.data(), absmax.data(), nullptr, nullptr, nullptr}, nullptr));
    const auto counts = halfbyte::emulation::stop_counting();
    EXPECT_EQUAL(counts.size(), 1u);
    for (const auto& [kernel, count] : counts) {
        EXPECT_EQUAL(count.global_load_bytes, 2 * rows * cols);
        EXPECT_EQUAL(count.global_store_bytes, rows * cols + 4 * rows);
        EXPECT_EQUAL(count.global_sectors, 3 * rows * cols / 32 + rows);
        EXPECT_EQUAL(count.bank_conflicts, 0);
    }
}

TEST(dequantize_int8_equals_its_definition) {
    for (const DType dtype : test::kTypes) {
        for (const int64_t K : {1, 3, 4, 7, 8, 9, 12, 31, 64, 100, 4096, 8200}) check_dequantize(dtype, 5, K, 0);
        for (const int64_t offset : {1, 2, 4}) check_dequantize(dtype, 7, 129, offset);
        check_dequantize(dtype, 700, 37, 0);
        check_dequantize(dtype, 3, 40000, 0);
    }
}
