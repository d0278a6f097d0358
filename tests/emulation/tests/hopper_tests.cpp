// TMA, mbarrier and wgmma.
#include <cstring>
#include <thread>

#include "kernels/kernels.h"
#include "tests/harness.h"
#include "tests/tensor_maps.h"

using test::map_of;

namespace {

std::vector<__nv_bfloat16> small_integers(size_t size, uint64_t seed) {
    std::vector<__nv_bfloat16> values(size);
    test::Random random(seed);
    for (auto& value : values) value = __float2bfloat16(static_cast<float>(random.between(-20, 20)));
    return values;
}

// The number of elements of d[M, N] that differ from a[M, K] * b, b by columns [N, K] or by rows [K, N].
int wrong_elements(const std::vector<float>& d, const std::vector<__nv_bfloat16>& a, const std::vector<__nv_bfloat16>& b, size_t M,
                   size_t N, size_t K, bool b_by_rows) {
    int wrong = 0;
    for (size_t m = 0; m < M; ++m)
        for (size_t n = 0; n < N; ++n) {
            float sum = 0;
            for (size_t k = 0; k < K; ++k)
                sum += __bfloat162float(a[m * K + k]) * __bfloat162float(b[b_by_rows ? k * N + n : n * K + k]);
            wrong += d[m * N + n] != sum;
        }
    return wrong;
}

}  // namespace

TEST(bulk_copies_in_and_out) {
    std::vector<uint32_t> values(7 * 256);
    test::Random random(20);
    for (uint32_t& value : values) value = random.next();
    const test::Buffer<uint32_t> from(values), to(values.size());
    EXPECT_SUCCESS(bulk_copy(from.data(), to.data(), 7 * 1024));
    EXPECT(to.values() == values);
}

TEST(tensor_copies_clip_and_swizzle) {
    const size_t width = 136, height = 100;  // ragged on both sides
    std::vector<uint16_t> values(width * height);
    test::Random random(21);
    for (uint16_t& value : values) value = static_cast<uint16_t>(random.next());
    std::vector<uint16_t> inverted(values);
    for (uint16_t& value : inverted) value ^= 0xffffu;
    const test::Buffer<uint16_t> from(values);
    for (const auto swizzle : {CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_SWIZZLE_128B}) {
        const test::Buffer<uint16_t> to(values.size());
        EXPECT_SUCCESS(
            tensor_copy(map_of(from.data(), width, height, swizzle), map_of(to.data(), width, height, swizzle), width, height));
        EXPECT(to.values() == inverted);
    }
}

TEST(tensor_maps_are_made_on_a_thread_that_has_no_context_yet) {
    const test::Buffer<uint16_t> data(64 * 64);
    std::thread([&] { map_of(data.data(), 64, 64, CU_TENSOR_MAP_SWIZZLE_128B); }).join();
}

TEST(tensor_copies_place_bytes_by_the_swizzle) {
    std::vector<uint16_t> values(64 * 64);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint16_t>(i);
    const test::Buffer<uint16_t> from(values), to(values.size());
    EXPECT_SUCCESS(tensor_copy(map_of(from.data(), 64, 64, CU_TENSOR_MAP_SWIZZLE_128B),
                               map_of(to.data(), 64, 64, CU_TENSOR_MAP_SWIZZLE_NONE), 64, 64));
    for (size_t row = 0; row < 64; ++row)
        for (size_t piece = 0; piece < 8; ++piece)  // in a row of 128 bytes, piece p lies at p ^ (row % 8)
            EXPECT_EQUAL(to.values()[row * 64 + (piece ^ row % 8) * 8], static_cast<uint16_t>(~values[row * 64 + piece * 8]));
}

TEST(wgmma_from_shared_memory_by_tma) {
    for (const bool b_mn_major : {false, true}) {
        const size_t K = 64 * 7;
        const auto a = small_integers(64 * K, 22), b = small_integers(64 * K, 23);
        const test::Buffer<__nv_bfloat16> device_a(a), device_b(b);
        const test::Buffer<float> d(64 * 64);
        const CUtensorMap map_a = map_of(device_a.data(), K, 64, CU_TENSOR_MAP_SWIZZLE_128B);
        const CUtensorMap map_b = map_of(device_b.data(), b_mn_major ? 64 : K, b_mn_major ? K : 64, CU_TENSOR_MAP_SWIZZLE_128B);
        EXPECT_SUCCESS(wgmma_gemm(map_a, map_b, d.data(), static_cast<int>(K), b_mn_major));
        EXPECT_EQUAL(wrong_elements(d.values(), a, b, 64, 64, K, b_mn_major), 0);
    }
}

TEST(wgmma_with_a_from_registers) {
    const auto a = small_integers(64 * 16, 24), b = small_integers(32 * 16, 25);
    const test::Buffer<__nv_bfloat16> device_a(a), device_b(b);
    for (const int swizzle : {0, 32, 64}) {
        const test::Buffer<float> d(64 * 32);
        EXPECT_SUCCESS(wgmma_registers(device_a.data(), device_b.data(), d.data(), swizzle));
        EXPECT_EQUAL(wrong_elements(d.values(), a, b, 64, 32, 16, false), 0);
    }
}

TEST(wgmma_of_int8) {
    std::vector<int8_t> a(64 * 32), b(16 * 32);
    test::Random random(26);
    for (int8_t& value : a) value = static_cast<int8_t>(random.next());
    for (int8_t& value : b) value = static_cast<int8_t>(random.next());
    const test::Buffer<int8_t> device_a(a), device_b(b);
    const test::Buffer<int32_t> d(64 * 16);
    EXPECT_SUCCESS(wgmma_int8(device_a.data(), device_b.data(), d.data()));
    for (size_t m = 0; m < 64; ++m)
        for (size_t n = 0; n < 16; ++n) {
            int32_t sum = 0;
            for (size_t k = 0; k < 32; ++k) sum += a[m * 32 + k] * b[n * 32 + k];
            EXPECT_EQUAL(d.values()[m * 16 + n], sum);
        }
}
