// Tensor-core products of a warp: every element equals the sum of products, for values whose sums are exact.
#include <chrono>
#include <cstring>

#include "kernels/kernels.h"
#include "tests/harness.h"

namespace {

template <class T>
std::vector<T> small_integers(size_t size, int low, int high, uint64_t seed) {
    std::vector<T> values(size);
    test::Random random(seed);
    for (T& value : values) value = static_cast<T>(static_cast<float>(random.between(low, high)));
    return values;
}

// The product by its definition, for b by columns.
template <class D, class T>
std::vector<D> product(const std::vector<T>& a, const std::vector<T>& b, size_t M, size_t N, size_t K) {
    std::vector<D> d(M * N);
    for (size_t m = 0; m < M; ++m)
        for (size_t n = 0; n < N; ++n) {
            double sum = 0;
            for (size_t k = 0; k < K; ++k)
                sum +=
                    static_cast<double>(static_cast<float>(a[m * K + k])) * static_cast<double>(static_cast<float>(b[n * K + k]));
            d[m * N + n] = static_cast<D>(sum);
        }
    return d;
}

template <class T, class D>
void check(cudaError_t (*multiply)(const T*, const T*, D*), size_t rows, size_t k, int low, int high) {
    const auto a = small_integers<T>(rows * k, low, high, 3), b = small_integers<T>(8 * k, low, high, 4);
    const test::Buffer<T> device_a(a), device_b(b);
    const test::Buffer<D> d(rows * 8);
    EXPECT_SUCCESS(multiply(device_a.data(), device_b.data(), d.data()));
    EXPECT(d.values() == (product<D>(a, b, rows, 8, k)));
}

}  // namespace

TEST(mma_float16_16x8x16) { check(mma_f16_k16, 16, 16, -50, 50); }
TEST(mma_float16_16x8x8) { check(mma_f16_k8, 16, 8, -50, 50); }
TEST(mma_int8_16x8x32) { check(mma_s8_k32, 16, 32, -128, 127); }
TEST(mma_int8_8x8x16) { check(mma_s8_k16, 8, 16, -128, 127); }

TEST(ldmatrix_transposed_and_stmatrix) {
    const auto a = small_integers<__nv_bfloat16>(256, -50, 50, 5), b = small_integers<__nv_bfloat16>(128, -50, 50, 6);
    std::vector<__nv_bfloat16> columns(128);
    for (size_t k = 0; k < 16; ++k)
        for (size_t n = 0; n < 8; ++n) columns[n * 16 + k] = b[k * 8 + n];
    const test::Buffer<__nv_bfloat16> device_a(a), device_b(b);
    const test::Buffer<float> d(128);
    const test::Buffer<uint32_t> stored(128);
    EXPECT_SUCCESS(mma_transposed(device_a.data(), device_b.data(), d.data(), stored.data()));
    EXPECT(d.values() == product<float>(a, columns, 16, 8, 16));
    EXPECT(std::memcmp(stored.values().data(), a.data(), 512) == 0);
}

TEST(stmatrix_of_1_2_and_4_matrices) {
    std::vector<uint32_t> registers(32 * 4);
    test::Random random(12);
    for (uint32_t& value : registers) value = random.next();
    const test::Buffer<uint32_t> from(registers), to(6 * 128);
    EXPECT_SUCCESS(store_matrices(from.data(), to.data()));
    const std::vector<uint32_t> words = to.values();
    std::vector<uint16_t> stored(6 * 256);
    std::memcpy(stored.data(), words.data(), words.size() * 4);
    for (size_t kind = 0; kind < 6; ++kind)
        for (size_t m = 0; m < 4; ++m)
            for (size_t row = 0; row < 8; ++row)
                for (size_t column = 0; column < 8; ++column) {
                    const size_t g = kind < 3 ? row : column, i = kind < 3 ? column : row;  // lane 4 g + i / 2, half i % 2
                    const bool is_stored = m < (size_t{1} << kind % 3);
                    const uint32_t held = registers[(4 * g + i / 2) * 4 + m] >> (16 * (i % 2)) & 0xffff;
                    EXPECT_EQUAL(stored[((kind * 4 + m) * 8 + row) * 8 + column], is_stored ? held : 0);
                }
}

TEST(gemm_in_all_orders) {
    const size_t M = 128, N = 64, K = 96;
    const auto a = small_integers<__nv_bfloat16>(M * K, -50, 50, 7), b = small_integers<__nv_bfloat16>(N * K, -50, 50, 8);
    const test::Buffer<__nv_bfloat16> device_a(a), device_b(b);
    const test::Buffer<float> c(M * N);
    EXPECT_SUCCESS(gemm_bf16(device_a.data(), device_b.data(), c.data(), M, N, K));
    EXPECT(c.values() == product<float>(a, b, M, N, K));
}

// The size that decides whether whole layers are affordable; its time is printed.
TEST(gemm_64x256x512) {
    test::run_in_order({});
    const size_t M = 64, N = 256, K = 512;
    const auto a = small_integers<__nv_bfloat16>(M * K, -50, 50, 9), b = small_integers<__nv_bfloat16>(N * K, -50, 50, 10);
    const test::Buffer<__nv_bfloat16> device_a(a), device_b(b);
    const test::Buffer<float> c(M * N);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_SUCCESS(gemm_bf16(device_a.data(), device_b.data(), c.data(), M, N, K));
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    std::printf("    %.1f ms\n", ms);
    EXPECT(ms < 1000);
    EXPECT(c.values() == product<float>(a, b, M, N, K));
}

TEST(gemm_has_no_bank_conflicts) {
    const test::Buffer<__nv_bfloat16> a(std::vector<__nv_bfloat16>(64 * 64)), b(std::vector<__nv_bfloat16>(64 * 64));
    const test::Buffer<float> c(64 * 64);
    halfbyte::emulation::start_counting();
    EXPECT_SUCCESS(gemm_bf16(a.data(), b.data(), c.data(), 64, 64, 64));
    for (const auto& [kernel, count] : halfbyte::emulation::stop_counting()) {
        EXPECT_EQUAL(count.mma, 4 * 2 * 4 * 4);   // warps, rows, columns, steps of k
        EXPECT_EQUAL(count.ldmatrix, 4 * 4 * 6);  // warps, steps, 2 of A and 4 of B
        EXPECT_EQUAL(count.bank_conflicts, 0);
        EXPECT_EQUAL(count.barriers, 4 * 4);  // warps, two per 32 of k
    }
}
