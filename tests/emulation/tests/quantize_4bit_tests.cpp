// 4-bit quantization under emulation, bit for bit what the definition gives.
#include <cmath>

#include "core/codebooks.h"
#include "core/formats.h"
#include "cuda/kernels.h"
#include "tests/definitions.h"

using namespace halfbyte;

namespace {

struct Shape {
    int64_t n, blocksize;
    QuantType quant_type = QuantType::kNf4;
    int64_t offset = 0;  // elements and bytes by which the tensors lie off their alignment
    float scale = 1.0f;
    const float* codebook = kNf4.data();
};

void check(const std::vector<uint8_t>& input, DType dtype, const Shape& shape) {
    const size_t skipped = static_cast<size_t>(shape.offset * size_of(dtype)), bytes = static_cast<size_t>(packed_bytes(shape.n));
    const auto blocks = static_cast<size_t>(ceil_div(shape.n, shape.blocksize));
    const auto expected = test::quantize_4bit(test::floats(input.data() + skipped, shape.n, dtype), shape.blocksize,
                                              shape.quant_type, shape.codebook);

    const test::Buffer<uint8_t> device_input(input), device_packed(bytes + static_cast<size_t>(shape.offset));
    const test::Buffer<float> device_absmax(blocks);
    EXPECT_SUCCESS(cuda::quantize_4bit({device_input.data() + skipped, dtype, shape.n, shape.blocksize, shape.quant_type,
                                        shape.codebook, device_packed.data() + shape.offset, device_absmax.data()},
                                       nullptr));
    std::vector<uint8_t> codes = device_packed.values();
    EXPECT(std::vector<uint8_t>(codes.begin() + shape.offset, codes.end()) == expected.codes);
    EXPECT(device_absmax.values() == expected.absmax);
}

void check(const Shape& shape, DType dtype) { check(test::elements(shape.offset + shape.n, dtype, shape.scale), dtype, shape); }

constexpr QuantType kQuantTypes[] = {QuantType::kFp4, QuantType::kNf4};

}  // namespace

TEST(quantize_4bit_equals_the_reference) {
    for (const DType dtype : test::kTypes)
        for (const QuantType quant_type : kQuantTypes)
            for (int64_t blocksize = 32; blocksize <= 4096; blocksize *= 2) check({20005, blocksize, quant_type}, dtype);
}

TEST(quantize_4bit_of_ragged_sizes) {
    for (const DType dtype : test::kTypes)
        for (const QuantType quant_type : kQuantTypes)
            for (const int64_t n : {1, 2, 3, 7, 8, 9, 31, 33, 63, 65, 1023, 4095, 4096, 4097, 8193, 16391})
                for (const int64_t blocksize : {32, 512, 4096}) check({n, blocksize, quant_type}, dtype);
}

TEST(quantize_4bit_of_unaligned_tensors) {
    for (const DType dtype : test::kTypes)
        for (const int64_t offset : {1, 2, 3}) check({1001, 64, QuantType::kNf4, offset}, dtype);
}

// Blocks so small that 1 / absmax is infinite or not normal, and so large that it is denormal.
TEST(quantize_4bit_of_extreme_blocks) {
    for (const DType dtype : test::kTypes)
        for (const QuantType quant_type : kQuantTypes)
            for (const float scale : {0x1p-147f, 0x1p-140f, 0x1p-128f, 0x1p-127f, 0x1p-126f, 0x1p-24f, 0x1p14f, 0x1p126f, 0x1p127f})
                check({4099, 64, quant_type, 0, scale}, dtype);
}

// Every float16 there is, in blocks whose absmax is 1: each threshold is crossed at each step.
TEST(quantize_4bit_of_every_float16) {
    for (const QuantType quant_type : kQuantTypes) {
        std::vector<uint16_t> input;
        for (uint32_t bits = 0; bits < 0x10000; ++bits) {
            if (input.size() % 64 == 0) input.push_back(0x3c00);
            if ((bits & 0x7fff) <= 0x3c00 || (bits & 0x7fff) > 0x7c00) input.push_back(static_cast<uint16_t>(bits));
        }
        const auto n = static_cast<int64_t>(input.size());
        std::vector<uint8_t> bytes(input.size() * 2);
        std::memcpy(bytes.data(), input.data(), bytes.size());
        check(bytes, DType::kFloat16, {n, 64, quant_type});
    }
}

// The float32 values at and beside each threshold, scaled by blocks whose absmax is a power of two.
TEST(quantize_4bit_at_its_thresholds) {
    // One threshold per cell; several per cell, which takes the search; values that repeat; thresholds beyond [-1, 1].
    const Codebook16 spread = {-1, -0.9f, -0.75f, -0.6f, -0.45f, -0.3f, -0.15f, 0, 0.15f, 0.3f, 0.45f, 0.6f, 0.7f, 0.8f, 0.9f, 1};
    const Codebook16 dense = {-1,    -0.5f, -0.1f, -0.01f, -0.001f, -1e-4f, -1e-5f, 0,
                              1e-6f, 1e-5f, 1e-4f, 1e-3f,  0.01f,   0.1f,   0.5f,   1};
    const Codebook16 repeated = {-1, -1, -1, -0.5f, -0.5f, 0, 0, 0, 0.25f, 0.25f, 0.5f, 0.5f, 0.5f, 1, 1, 1};
    const Codebook16 wide = {-9, -8, -2, -1, -0.5f, -0.25f, -0.1f, 0, 0.1f, 0.3f, 0.5f, 0.8f, 1, 2, 5, 3e38f};
    for (const Codebook16* table : {&kNf4, &spread, &dense, &repeated, &wide, static_cast<const Codebook16*>(nullptr)}) {
        std::vector<float> input;
        const auto add = [&](float t) {
            for (const float value : {std::nextafter(t, -2.0f), t, std::nextafter(t, 2.0f)}) {
                if (input.size() % 32 == 0) input.push_back(input.size() % 64 == 0 ? 1.0f : 0x1p-20f);
                input.push_back(std::abs(value) <= 1 ? value * (input.size() / 32 % 2 == 0 ? 1.0f : 0x1p-20f) : 0.0f);
            }
        };
        if (table != nullptr) {
            for (const float threshold : midpoints(*table)) add(threshold);
        } else {
            for (const float threshold : kFp4Thresholds) add(threshold), add(-threshold);
        }
        add(0.0f), add(1.0f), add(-1.0f);
        const auto n = static_cast<int64_t>(input.size());
        std::vector<uint8_t> bytes(input.size() * 4);
        std::memcpy(bytes.data(), input.data(), bytes.size());
        const QuantType quant_type = table != nullptr ? QuantType::kCustom : QuantType::kFp4;
        const float* codebook = table != nullptr ? table->data() : kFp4.data();
        check(bytes, DType::kFloat32, {n, 32, quant_type, 0, 1, codebook});
        for (const float scale : {1.0f, 0x1p-147f, 0x1p-128f}) {
            check({5000, 64, quant_type, 0, scale, codebook}, DType::kFloat32);
        }
    }
}

// What the file comment of the kernel promises.
TEST(quantize_4bit_costs_what_it_says) {
    const int64_t n = 1 << 16;
    const test::Buffer<uint8_t> input(test::elements(n, DType::kBFloat16, 1)), packed(n / 2);
    const test::Buffer<float> absmax(n / 64);
    test::run_in_order({});
    halfbyte::emulation::start_counting();
    EXPECT_SUCCESS(cuda::quantize_4bit(
        {input.data(), DType::kBFloat16, n, 64, QuantType::kNf4, kNf4.data(), packed.data(), absmax.data()}, nullptr));
    const auto counts = halfbyte::emulation::stop_counting();
    EXPECT_EQUAL(counts.size(), 1u);
    for (const auto& [kernel, count] : counts) {
        EXPECT_EQUAL(count.global_loads, n / 8 / 32);       // 16 bytes per lane
        EXPECT_EQUAL(count.global_stores, 2 * n / 8 / 32);  // codes, and every eighth lane a statistic
        EXPECT_EQUAL(count.global_sectors, (2 * n + n / 2) / 32 + n / 8 / 32);
        EXPECT_EQUAL(count.shared_loads, 2 * n / 32);  // a threshold and a code per element
        EXPECT_EQUAL(count.bank_conflicts, 0);
    }
}
