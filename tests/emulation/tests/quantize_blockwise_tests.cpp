// Blockwise 8-bit codes both ways, and double quantization, under emulation, bit for bit what the definition gives.
#include <optional>

#include "cuda/kernels.h"
#include "tests/definitions.h"

using namespace halfbyte;

namespace {

struct Shape {
    int64_t n, blocksize;
    int64_t offset = 0;  // elements by which the tensors lie off their alignment
    float scale = 1.0f;
    const std::vector<float>* codebook = nullptr;
};

std::vector<float> codebook_of(const Shape& shape) {
    return shape.codebook != nullptr ? *shape.codebook : std::vector<float>(dynamic_signed().begin(), dynamic_signed().end());
}

void check_quantize(const std::vector<uint8_t>& input, DType dtype, const Shape& shape) {
    const auto skipped = static_cast<size_t>(shape.offset * size_of(dtype)),
               blocks = static_cast<size_t>(ceil_div(shape.n, shape.blocksize));
    const auto expected =
        test::quantize_blockwise(test::floats(input.data() + skipped, shape.n, dtype), shape.blocksize, codebook_of(shape).data());
    const test::Buffer<uint8_t> device_input(input), codes(static_cast<size_t>(shape.n + shape.offset));
    const test::Buffer<float> absmax(blocks), codebook(codebook_of(shape));
    EXPECT_SUCCESS(cuda::quantize_blockwise(
        {device_input.data() + skipped, dtype, shape.n, shape.blocksize, shape.codebook != nullptr ? codebook.data() : nullptr,
         codes.data() + shape.offset, absmax.data()},
        nullptr));
    const std::vector<uint8_t> all = codes.values();
    EXPECT(std::vector<uint8_t>(all.begin() + shape.offset, all.end()) == expected.codes);
    EXPECT(absmax.values() == expected.absmax);
}

void check_quantize(DType dtype, const Shape& shape) {
    check_quantize(test::elements(shape.n + shape.offset, dtype, shape.scale), dtype, shape);
}

void check_dequantize(DType dtype, const Shape& shape) {
    test::Random random(static_cast<uint64_t>(shape.n));
    std::vector<uint8_t> codes(static_cast<size_t>(shape.n + shape.offset)), expected;
    for (uint8_t& code : codes) code = static_cast<uint8_t>(random.next());
    std::vector<float> absmax(static_cast<size_t>(ceil_div(shape.n, shape.blocksize)));
    for (float& value : absmax) value = random.uniform() * shape.scale;
    const std::vector<float> table = codebook_of(shape);
    for (int64_t i = 0; i < shape.n; ++i)
        test::append(expected, dtype,
                     table[codes[static_cast<size_t>(i + shape.offset)]] * absmax[static_cast<size_t>(i / shape.blocksize)]);

    const auto skipped = static_cast<size_t>(shape.offset * size_of(dtype));
    const test::Buffer<uint8_t> device_codes(codes), output(expected.size() + skipped);
    const test::Buffer<float> device_absmax(absmax), codebook(table);
    EXPECT_SUCCESS(
        cuda::dequantize_blockwise({device_codes.data() + shape.offset, device_absmax.data(), shape.n, shape.blocksize,
                                    shape.codebook != nullptr ? codebook.data() : nullptr, output.data() + skipped, dtype},
                                   nullptr));
    const std::vector<uint8_t> all = output.values();
    EXPECT(std::vector<uint8_t>(all.begin() + static_cast<int64_t>(skipped), all.end()) == expected);
}

// Codebooks that the cells were not made for.
std::vector<std::vector<float>> codebooks() {
    std::vector<float> linear(256), repeated(256), zero(256, 0.0f), dense(256), huge(256);
    for (int i = 0; i < 256; ++i) {
        const auto at = static_cast<size_t>(i);
        linear[at] = static_cast<float>(i) / 127.5f - 1.0f;
        repeated[at] = static_cast<float>(i / 5) / 25.5f - 1.0f;
        dense[at] = 0.5f + static_cast<float>(i) * 0x1p-20f;
        huge[at] = i < 20 ? -3.4e38f : i > 230 ? 3.4e38f : static_cast<float>(i - 128) * 1e36f;
    }
    return {{dynamic_unsigned().begin(), dynamic_unsigned().end()}, linear, repeated, zero, dense, huge};
}

void check_double(int64_t count, int64_t offset, float scale, std::optional<float> special = {}) {
    test::Random random(static_cast<uint64_t>(count) + 5);
    std::vector<float> absmax(static_cast<size_t>(count));
    for (float& value : absmax) value = std::fabs(random.uniform()) * scale;
    if (special && count > 0) absmax[absmax.size() / 2] = *special;

    // The mean, in the order of halfbyte.h section 8.
    double total = 0;
    for (size_t chunk = 0; chunk < absmax.size(); chunk += 16384) {
        double lanes[256] = {};
        for (size_t i = chunk; i < std::min(chunk + 16384, absmax.size()); ++i) lanes[i % 256] += static_cast<double>(absmax[i]);
        for (size_t stride = 128; stride > 0; stride /= 2)
            for (size_t j = 0; j < stride; ++j) lanes[j] += lanes[j + stride];
        total += lanes[0];
    }
    const float mean = count == 0 ? 0.0f : static_cast<float>(total / static_cast<double>(count));
    std::vector<float> centered(absmax);
    for (float& value : centered) value -= mean;
    const auto expected = test::quantize_blockwise(centered, 256, dynamic_signed().data());
    std::vector<float> restored(absmax.size());
    for (size_t i = 0; i < restored.size(); ++i) {
        const float value = dynamic_signed()[expected.codes[i]] * expected.absmax[i / 256];
        restored[i] = value + mean;
    }

    std::vector<float> shifted(static_cast<size_t>(offset));
    shifted.insert(shifted.end(), absmax.begin(), absmax.end());
    const test::Buffer<float> input(shifted), nested_absmax(expected.absmax.size()), device_mean(1), output(shifted.size());
    const test::Buffer<uint8_t> codes(shifted.size());
    EXPECT_SUCCESS(cuda::double_quantize(
        {input.data() + offset, count, codes.data() + offset, nested_absmax.data(), device_mean.data()}, nullptr));
    const std::vector<uint8_t> all = codes.values();
    EXPECT(std::vector<uint8_t>(all.begin() + offset, all.end()) == expected.codes);
    const auto same = [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    const std::vector<float> nested = nested_absmax.values();
    EXPECT(std::ranges::equal(nested, expected.absmax, same));
    EXPECT(same(device_mean.values()[0], mean));

    EXPECT_SUCCESS(cuda::double_dequantize(
        {codes.data() + offset, nested_absmax.data(), device_mean.data(), nullptr, count, output.data() + offset}, nullptr));
    const std::vector<float> back = output.values();
    EXPECT(std::equal(back.begin() + offset, back.end(), restored.begin(), same));
}

}  // namespace

TEST(quantize_blockwise_equals_its_definition) {
    for (const DType dtype : test::kTypes)
        for (int64_t blocksize = 32; blocksize <= 4096; blocksize *= 2) check_quantize(dtype, {20005, blocksize});
}

TEST(quantize_blockwise_of_ragged_sizes) {
    for (const DType dtype : test::kTypes)
        for (const int64_t n : {1, 3, 7, 8, 9, 33, 65, 1023, 4095, 4097, 8193})
            for (const int64_t blocksize : {32, 512, 4096}) check_quantize(dtype, {n, blocksize});
}

TEST(quantize_blockwise_of_unaligned_tensors) {
    for (const DType dtype : test::kTypes)
        for (const int64_t offset : {1, 2, 4}) check_quantize(dtype, {1001, 64, offset});
}

TEST(quantize_blockwise_of_extreme_blocks) {
    for (const DType dtype : test::kTypes)
        for (const float scale : {0x1p-147f, 0x1p-128f, 0x1p-127f, 0x1p-24f, 0x1p14f, 0x1p127f})
            check_quantize(dtype, {4099, 64, 0, scale});
}

TEST(quantize_blockwise_with_any_codebook) {
    for (const std::vector<float>& codebook : codebooks())
        for (const float scale : {1.0f, 0x1p-147f}) check_quantize(DType::kFloat32, {3001, 64, 0, scale, &codebook});
}

// The float32 values at and beside each midpoint.
TEST(quantize_blockwise_at_its_midpoints) {
    std::vector<std::vector<float>> tables = codebooks();
    tables.push_back({dynamic_signed().begin(), dynamic_signed().end()});
    for (const std::vector<float>& table : tables) {
        std::vector<uint8_t> input;
        for (const float m : midpoints(table.data())) {
            for (const float t : {std::nextafter(m, -2.0f), m, std::nextafter(m, 2.0f)}) {
                if (input.size() / 4 % 32 == 0) test::append(input, DType::kFloat32, 1.0f);
                test::append(input, DType::kFloat32, std::fabs(t) <= 1 ? t : 0.0f);
            }
        }
        const auto n = static_cast<int64_t>(input.size() / 4);
        check_quantize(input, DType::kFloat32, {n, 32, 0, 1, &table});
    }
}

// So many tiles that every block of threads takes several, with blocks that straddle warps.
TEST(quantize_blockwise_of_many_tiles) {
    check_quantize(DType::kFloat32, {300001, 4096});
    check_quantize(DType::kBFloat16, {300001, 2048});
    check_dequantize(DType::kBFloat16, {700001, 256});
}

// What the file comments of the kernels promise: bytes, and the passes over shared memory.
TEST(blockwise_kernels_cost_what_they_say) {
    const int64_t n = 1 << 20;
    const test::Buffer<float> values(n), absmax(n / 256);
    const test::Buffer<uint8_t> codes(n);
    std::vector<float> uniform(static_cast<size_t>(n));
    test::Random random(1);
    for (float& value : uniform) value = random.uniform();
    cudaMemcpy(values.data(), uniform.data(), static_cast<size_t>(n) * 4, cudaMemcpyHostToDevice);
    test::run_in_order({});
    halfbyte::emulation::start_counting();
    EXPECT_SUCCESS(
        cuda::quantize_blockwise({values.data(), DType::kFloat32, n, 256, nullptr, codes.data(), absmax.data()}, nullptr));
    EXPECT_SUCCESS(
        cuda::dequantize_blockwise({codes.data(), absmax.data(), n, 256, nullptr, values.data(), DType::kFloat32}, nullptr));
    const auto counts = halfbyte::emulation::stop_counting();
    EXPECT_EQUAL(counts.size(), 2u);
    for (const auto& [kernel, count] : counts) {
        const bool quantizes = kernel.find("::quantize") != std::string::npos;
        EXPECT_EQUAL(count.global_sectors, 5 * n / 32 + n / 256 * (quantizes ? 1 : 2));
        EXPECT(count.shared_wavefronts < n / 32 * (quantizes ? 8 : 4));
    }
}

TEST(dequantize_blockwise_equals_its_definition) {
    const std::vector<float> custom = codebooks()[1];
    for (const DType dtype : test::kTypes) {
        for (const int64_t blocksize : {32, 64, 256, 4096}) check_dequantize(dtype, {20005, blocksize, 0, 3.0f, &custom});
        for (const int64_t n : {1, 3, 7, 8, 9, 33, 4095, 4096, 8193}) check_dequantize(dtype, {n, 64});
        for (const int64_t offset : {1, 2, 4}) check_dequantize(dtype, {1001, 64, offset});
    }
}

TEST(double_quantize_equals_its_definition) {
    for (const int64_t count : {0, 1, 2, 255, 256, 257, 5000, 16383, 16384, 16385, 40000, 200001}) check_double(count, 0, 0.1f);
    for (const int64_t offset : {1, 2, 3, 7}) check_double(33000, offset, 0.1f);
    for (const float special : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 3e38f})
        for (const int64_t count : {1000, 20000}) check_double(count, 0, 1.0f, special);
    for (const float scale : {0.0f, 1e-44f, 1e38f}) check_double(17000, 0, scale);
}
