// One operation from end to end: the kernel of native/cuda under emulation, bit for bit what the definition gives.
#include <bit>
#include <cstring>

#include "core/codebooks.h"
#include "core/float16.h"
#include "core/formats.h"
#include "cuda/kernels.h"
#include "tests/harness.h"

using namespace halfbyte;

namespace {

struct Shape {
    int64_t n, blocksize;
    bool nested;
    int32_t quant_type;
    int64_t offset = 0;  // bytes of packed and elements of output by which the tensors lie off their alignment
};

// The bits of `value` in `dtype`, widened.
uint32_t bits_of(float value, DType dtype) {
    if (dtype == DType::kFloat16) return float_to_float16(value);
    if (dtype == DType::kBFloat16) return float_to_bfloat16(value);
    return std::bit_cast<uint32_t>(value);
}

void check(const Shape& shape, DType dtype) {
    test::Random random(static_cast<uint64_t>(shape.n) + 31);
    const auto blocks = static_cast<size_t>(ceil_div(shape.n, shape.blocksize));
    std::vector<uint8_t> packed(static_cast<size_t>(shape.offset + packed_bytes(shape.n))), codes(blocks);
    for (uint8_t& byte : packed) byte = static_cast<uint8_t>(random.next());
    for (uint8_t& code : codes) code = static_cast<uint8_t>(random.next());
    std::vector<float> absmax(blocks), nested_absmax(static_cast<size_t>(ceil_div(static_cast<int64_t>(blocks), 256)));
    for (float& value : absmax) value = random.uniform() * 3;
    for (float& value : nested_absmax) value = random.uniform();
    const std::vector<float> map(dynamic_signed().begin(), dynamic_signed().end()), offset = {0.7f};
    std::vector<float> custom(16);
    for (float& value : custom) value = random.uniform();
    if (blocks > 1) absmax[1] = 0;

    halfbyte_weight_4bit weight{};
    weight.N = 1;
    weight.K = shape.n;
    weight.blocksize = shape.blocksize;
    weight.nested_blocksize = 256;
    weight.quant_type = shape.quant_type;
    weight.absmax = shape.nested ? static_cast<const void*>(codes.data()) : absmax.data();
    if (shape.nested) {
        weight.nested_absmax = nested_absmax.data();
        weight.nested_codebook = map.data();
        weight.nested_offset = offset.data();
    }

    // The definition, from the host's side of the weight.
    const float* table = shape.quant_type == HALFBYTE_QUANT_TYPE_CUSTOM ? custom.data()
                         : shape.quant_type == HALFBYTE_QUANT_TYPE_FP4  ? kFp4.data()
                                                                        : kNf4.data();
    std::vector<uint32_t> expected(static_cast<size_t>(shape.n));
    for (int64_t i = 0; i < shape.n; ++i) {
        const unsigned byte = packed[static_cast<size_t>(shape.offset + i / 2)], code = i % 2 == 0 ? byte >> 4 : byte & 15;
        expected[static_cast<size_t>(i)] = bits_of(table[code] * absmax_of(weight, i / shape.blocksize), dtype);
    }

    const test::Buffer<uint8_t> device_packed(packed), device_codes(codes);
    const test::Buffer<float> device_absmax(absmax), device_nested(nested_absmax), device_map(map), device_offset(offset),
        device_custom(custom);
    const auto size = static_cast<size_t>(size_of(dtype));
    const test::Buffer<uint8_t> output(static_cast<size_t>(shape.n + shape.offset) * size);
    weight.packed = device_packed.data() + shape.offset;
    weight.absmax = shape.nested ? static_cast<const void*>(device_codes.data()) : device_absmax.data();
    if (shape.nested) {
        weight.nested_absmax = device_nested.data();
        weight.nested_codebook = device_map.data();
        weight.nested_offset = device_offset.data();
    }
    if (shape.quant_type == HALFBYTE_QUANT_TYPE_CUSTOM) weight.codebook = device_custom.data();
    uint8_t* to = output.data() + static_cast<size_t>(shape.offset) * size;
    EXPECT_SUCCESS(cuda::dequantize_4bit({weight, to, dtype}, nullptr));

    const std::vector<uint8_t> bytes = output.values();
    int64_t wrong = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
        uint32_t bits = 0;
        std::memcpy(&bits, bytes.data() + (static_cast<size_t>(shape.offset) + i) * size, size);
        wrong += bits != expected[i];
    }
    EXPECT_EQUAL(wrong, 0);
}

constexpr DType kTypes[] = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};

}  // namespace

TEST(dequantize_4bit_equals_its_definition) {
    for (const DType dtype : kTypes)
        for (const int32_t quant_type : {HALFBYTE_QUANT_TYPE_FP4, HALFBYTE_QUANT_TYPE_NF4, HALFBYTE_QUANT_TYPE_CUSTOM})
            for (const bool nested : {false, true}) check({20000, 64, nested, quant_type}, dtype);
}

TEST(dequantize_4bit_of_ragged_sizes) {
    for (const DType dtype : kTypes)
        for (const int64_t n : {1, 2, 3, 7, 8, 9, 31, 33, 63, 65, 1023, 8191, 8192, 8193, 16391})
            for (const int64_t blocksize : {32, 64, 4096}) check({n, blocksize, n % 2 == 0, HALFBYTE_QUANT_TYPE_NF4}, dtype);
}

TEST(dequantize_4bit_of_unaligned_tensors) {
    for (const DType dtype : kTypes)
        for (const int64_t offset : {1, 2, 3}) check({1001, 64, false, HALFBYTE_QUANT_TYPE_NF4, offset}, dtype);
}

// What the file comment of the kernel promises.
TEST(dequantize_4bit_costs_what_it_says) {
    const int64_t n = 1 << 16;
    const test::Buffer<uint8_t> packed(n / 2), output(n * 2);
    const test::Buffer<float> absmax(n / 64);
    halfbyte_weight_4bit weight{};
    weight.packed = packed.data();
    weight.absmax = absmax.data();
    weight.N = 1;
    weight.K = n;
    weight.blocksize = 64;
    weight.quant_type = HALFBYTE_QUANT_TYPE_NF4;
    test::run_in_order({});
    halfbyte::emulation::start_counting();
    EXPECT_SUCCESS(cuda::dequantize_4bit({weight, output.data(), DType::kBFloat16}, nullptr));
    const auto counts = halfbyte::emulation::stop_counting();
    EXPECT_EQUAL(counts.size(), 1u);
    for (const auto& [kernel, count] : counts) {
        EXPECT(kernel.find("dequantize_4bit_kernel<__nv_bfloat16, false>") != std::string::npos);
        EXPECT_EQUAL(count.global_stores, n / 8 / 32);     // 16 bytes per lane
        EXPECT_EQUAL(count.global_loads, 2 * n / 8 / 32);  // a word of codes and a statistic per run
        EXPECT_EQUAL(count.global_store_bytes, 2 * n);
        // Each byte once; a warp's statistics are one sector.
        EXPECT_EQUAL(count.global_sectors, (2 * n + n / 2) / 32 + n / 8 / 32);
        EXPECT_EQUAL(count.shared_loads, n / 32);  // one lookup per element
        EXPECT_EQUAL(count.bank_conflicts, 0);
    }
}
