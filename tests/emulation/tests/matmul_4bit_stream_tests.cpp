// The kernel "stream" of the 4-bit product: against its own definition, whose table is rounded, within the bound of float32 sums;
// and against the exact product, where it must lose less than dequantizing to 16 bits and multiplying.
#include <algorithm>
#include <bit>

#include "tests/forward_product.h"

using namespace halfbyte;
using test::Format4Bit;
using test::Spoil;

namespace {

struct Case {
    int64_t M, K;
    std::vector<int64_t> N;
    std::vector<Format4Bit> formats = {{}};
    bool bias = false;
    int64_t gap = 0, skew = 0;
};

// What table values become: times a constant, rounded to the type, divided again.
double rounded_table_value(float value, int64_t quant_type, float largest, DType dtype) {
    float scale = 1;
    if (quant_type == HALFBYTE_QUANT_TYPE_NF4) scale = dtype == DType::kFloat16 ? 1.3661918640136719f : 1.4367141723632812f;
    else if (quant_type == HALFBYTE_QUANT_TYPE_FP4) scale = 1.5f;
    else if (dtype == DType::kFloat16 && largest > 0) scale = std::ldexp(1.0f, 13 - std::ilogb(largest));
    return test::round_to(dtype, value * scale) / static_cast<double>(scale);
}

using Product = test::ForwardProduct<test::RandomWeight4Bit>;

// One call of all weights of a case.
std::unique_ptr<Product> multiply(const Case& at, DType dtype, uint64_t seed = 7, Spoil spoil = nullptr) {
    const test::AskedKernel asked("matmul_4bit", "stream");
    auto product = std::make_unique<Product>(dtype, at.M, at.K, at.gap, at.skew, spoil, 1.0f, seed);
    for (size_t i = 0; i < at.N.size(); ++i)
        product->add(std::make_unique<test::RandomWeight4Bit>(at.N[i], at.K, at.formats[i % at.formats.size()], seed + i), at.bias,
                     at.gap);
    EXPECT_SUCCESS(product->run());
    return product;
}

// The values that the kernel multiplies by.
std::vector<double> multiplied_values(const test::RandomWeight4Bit& weight, DType dtype) {
    float largest = 0;
    for (const float value : weight.table) largest = std::max(largest, std::abs(value));
    std::vector<double> values;
    for (size_t i = 0; i < weight.codes.size(); ++i)
        values.push_back(rounded_table_value(weight.table[weight.codes[i]], weight.descriptor().quant_type, largest, dtype) *
                         weight.statistics[i]);
    return values;
}

std::unique_ptr<Product> check(const Case& at, DType dtype, Spoil spoil = nullptr) {
    auto product = multiply(at, dtype, 7, spoil);
    for (size_t i = 0; i < at.N.size(); ++i)
        product->check_output(i, product->sums(i, multiplied_values(*product->weights[i], dtype)));
    return product;
}

int64_t workspace_of(const Product& product, const Case& at) {
    const test::AskedKernel kernel("matmul_4bit", "stream");
    const auto count = static_cast<int64_t>(product.descriptors.size());
    return test::workspace_of(
        MatMul4Bit{count, product.descriptors.data(), nullptr, product.dtype, at.M, at.K, at.K, 0, nullptr, nullptr});
}

// Of a product whose splits are added in clusters: right, without a workspace, and equal to what the launch that adds partial sums
// makes of it, to the bit.
void check_in_clusters(const Case& at, DType dtype, Spoil spoil = nullptr) {
    const auto product = check(at, dtype, spoil);
    EXPECT_EQUAL(workspace_of(*product, at), 0);
    const test::AskedKernel sums("stream_sums", "partials");
    const auto other = multiply(at, dtype, 7, spoil);
    EXPECT(workspace_of(*other, at) > 0);
    for (size_t i = 0; i < at.N.size(); ++i) {
        const std::vector<double> y = product->outputs[i]->download(), other_y = other->outputs[i]->download();
        for (size_t n = 0; n < y.size(); ++n) EXPECT_EQUAL(std::bit_cast<uint64_t>(y[n]), std::bit_cast<uint64_t>(other_y[n]));
    }
}

constexpr DType kTypes[] = {DType::kFloat16, DType::kBFloat16};

std::vector<Format4Bit> all_formats() {
    std::vector<Format4Bit> formats;
    for (const bool nested : {false, true})
        for (const int32_t type : {HALFBYTE_QUANT_TYPE_NF4, HALFBYTE_QUANT_TYPE_FP4, HALFBYTE_QUANT_TYPE_CUSTOM})
            for (const int64_t blocksize : {64, 32, 128, 4096}) formats.push_back({type, blocksize, nested});
    return formats;
}

}  // namespace

TEST(matmul_4bit_stream_of_every_m) {
    for (const DType dtype : kTypes)
        for (const int64_t M : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 32, 33, 63, 64}) {
            check({M, 256, {33}}, dtype);
            check({M, 80, {17}}, dtype);
        }
}

TEST(matmul_4bit_stream_of_no_rows) {
    const test::AskedKernel asked("matmul_4bit", "stream");
    const test::RandomWeight4Bit weight(40, 4096, {}, 7);
    const halfbyte_weight_4bit descriptor = weight.descriptor();
    const halfbyte_output output{nullptr, 40, nullptr, 0};
    const MatMul4Bit op{1, &descriptor, &output, DType::kBFloat16, 0, 4096, 4096, 0, nullptr, nullptr};
    EXPECT_EQUAL(test::workspace_of(op), 0);
    EXPECT_SUCCESS(test::launch(op));
}

TEST(matmul_4bit_stream_of_every_shape) {
    for (const DType dtype : kTypes)
        for (const int64_t K : {16, 48, 64, 80, 128, 320, 384, 1152})
            for (const int64_t N : {1, 5, 16, 17, 33, 130}) check({N % 2 == 0 ? 3 : 6, K, {N}}, dtype);
}

TEST(matmul_4bit_stream_of_rows_that_are_not_whole_blocks) {
    for (const DType dtype : kTypes)
        for (const int64_t M : {1, 9}) check({M, 4304, {37}, {{HALFBYTE_QUANT_TYPE_NF4, 64, M == 1}}}, dtype);
}

TEST(matmul_4bit_stream_of_every_format) {
    for (const DType dtype : kTypes)
        for (const Format4Bit& format : all_formats())
            for (const int64_t M : {1, 6, 12, 20}) check({M, 384, {50}, {format}, true, 3}, dtype);
}

// Nested blocks that end within a row, and between the pairs of strips that a warp multiplies at a time.
TEST(matmul_4bit_stream_of_every_nested_blocksize) {
    for (const int64_t nested_blocksize : {32, 64, 512, 4096})
        for (const int64_t blocksize : {64, 32, 128})
            for (const int64_t M : {1, 6, 12}) {
                Format4Bit format{HALFBYTE_QUANT_TYPE_NF4, blocksize, true};
                format.nested_blocksize = nested_blocksize;
                check({M, 640, {250}, {format}}, DType::kBFloat16);
            }
}

TEST(matmul_4bit_stream_of_mixed_weights) {
    const std::vector<int64_t> rows = {40, 16, 1, 0, 200, 33, 5, 64, 17, 3};
    for (const DType dtype : kTypes)
        for (const int64_t M : {1, 7, 12, 64}) {
            check({M, 256, rows, {{}, {HALFBYTE_QUANT_TYPE_FP4}, {HALFBYTE_QUANT_TYPE_CUSTOM}}, true}, dtype);
            check({M, 256, rows, {{HALFBYTE_QUANT_TYPE_FP4, 64, true}, {HALFBYTE_QUANT_TYPE_NF4, 64, true}}, true, 1}, dtype);
            check({M, 96, rows, all_formats(), true}, dtype);
        }
}

// More strips than blocks: a block's ring runs on from strip to strip, whatever the number of units of a warp.
TEST(matmul_4bit_stream_of_many_strips) {
    for (const int64_t K : {128, 1024, 2048, 3200}) check({2, K, {16 * 132 * 2 + 70}}, DType::kBFloat16);
    check({5, 1280, {16 * 132 * 3 + 1}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, DType::kFloat16);
    check({4, 1408, {16 * 132 * 2 + 9}, {{HALFBYTE_QUANT_TYPE_NF4, 128, true}}}, DType::kFloat16);
    for (const bool is_nested : {false, true})
        check({7, 640, {16 * 132 * 4 + 41}, {{HALFBYTE_QUANT_TYPE_NF4, 256, is_nested}}}, DType::kBFloat16);
    check({8, 640, {16 * 132 * 4 + 41}}, DType::kBFloat16);
}

TEST(matmul_4bit_stream_split_in_depth) {
    for (const DType dtype : kTypes) {
        check({1, 8192, {20, 7}, {{}, {HALFBYTE_QUANT_TYPE_FP4}}, true, 2}, dtype);
        check({16, 4096, {70}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype);
        check({40, 2048, {20}, {{HALFBYTE_QUANT_TYPE_FP4, 32, true}}, true}, dtype);
    }
}

TEST(matmul_4bit_stream_in_as_many_parts_as_asked_for) {
    for (const int64_t splits : {1, 2, 3}) {
        const test::AskedKernel parts("stream_splits", std::to_string(splits));
        const Case at{4, 2048, {40}};
        const auto product = check(at, DType::kBFloat16);
        EXPECT_EQUAL(workspace_of(*product, at), splits == 3 ? splits * at.M * at.N[0] * 4 : 0);  // two are a cluster
    }
}

// The emulated device has four multiprocessors: a few strips are split over two or four blocks. Beyond that K is split where x of
// more would not fit shared memory, and blocks have several strips.
TEST(matmul_4bit_stream_in_clusters_of_every_size) {
    test::run_in_all_orders();
    for (const DType dtype : kTypes) {
        for (const int64_t M : {1, 3, 4, 5, 8}) check_in_clusters({M, 4096, {M == 4 ? 33 : 17}, {{}}, true}, dtype);
        for (const int64_t M : {9, 16}) check_in_clusters({M, 1024, {70}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}, true, 3}, dtype);
        for (const int64_t M : {9, 16, 17, 32}) check_in_clusters({M, 2048, {33}, {{HALFBYTE_QUANT_TYPE_FP4, 128}}}, dtype);
        for (const int64_t M : {33, 64}) check_in_clusters({M, 1040, {40}, {{}}, true, 1, 1}, dtype);
        check_in_clusters({19, 8448, {21}}, dtype);
    }
}

TEST(matmul_4bit_stream_in_clusters_with_many_strips) {
    test::run_in_order({halfbyte::emulation::Order::kRandom, 5});
    check_in_clusters({4, 19072, {100}}, DType::kBFloat16);
    check_in_clusters({7, 9088, {201}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}, true}, DType::kFloat16);
    check_in_clusters({8, 9216, {150, 1, 33}, {{HALFBYTE_QUANT_TYPE_NF4, 256}, {HALFBYTE_QUANT_TYPE_CUSTOM, 256}}},
                      DType::kBFloat16);
    check_in_clusters({16, 4864, {300}, {{HALFBYTE_QUANT_TYPE_CUSTOM, 64}}}, DType::kFloat16);
    for (const int64_t M : {24, 50}) check_in_clusters({M, 2304, {300}, {{}}, true}, DType::kBFloat16);
}

TEST(matmul_4bit_stream_in_clusters_of_mixed_weights) {
    const std::vector<int64_t> rows = {40, 16, 1, 0, 120, 33, 5, 64, 17, 3};
    for (const DType dtype : kTypes) {
        check_in_clusters({20, 2304, rows, {{}, {HALFBYTE_QUANT_TYPE_FP4}, {HALFBYTE_QUANT_TYPE_CUSTOM}}, true, 2}, dtype);
        check_in_clusters({11, 4880, rows, {{HALFBYTE_QUANT_TYPE_FP4, 64, true}, {HALFBYTE_QUANT_TYPE_NF4, 32}}, true}, dtype);
    }
}

// A split whose sum is not finite is computed again on its own.
TEST(matmul_4bit_stream_in_clusters_of_infinities) {
    const Spoil spoil = [](std::vector<double>& x, int64_t K) {
        x[7] = std::numeric_limits<double>::quiet_NaN();
        x[static_cast<size_t>(K + 63)] = std::numeric_limits<double>::infinity();
        x[static_cast<size_t>(2 * K - 1)] = -std::numeric_limits<double>::infinity();
        x[static_cast<size_t>(2 * K + K / 2 + 40)] = -std::numeric_limits<double>::infinity();
    };
    const Spoil large = [](std::vector<double>& x, int64_t K) {
        std::fill(x.begin(), x.end(), 0.0);
        for (size_t i = 9; i < x.size(); i += static_cast<size_t>(K)) x[i] = test::round_to(DType::kBFloat16, 3e38f);
        for (size_t i = 1009; i < x.size(); i += static_cast<size_t>(K)) x[i] = test::round_to(DType::kBFloat16, -2e38f);
    };
    for (const int64_t M : {9, 20}) {
        check_in_clusters({M, 1040, {20}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, DType::kFloat16, spoil);
        check_in_clusters({M, 1024, {20}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, DType::kBFloat16, large);
    }
}

// Sums of splits that all but cancel: added in another order they round to something else.
TEST(matmul_4bit_stream_in_clusters_adds_in_order) {
    const Spoil cancel = [](std::vector<double>& x, int64_t K) {
        std::fill(x.begin(), x.end(), 0.0);
        constexpr double kParts[] = {0x1p20, 0.703125, -0x1p20, 0.8984375};
        for (size_t i = 0; i < x.size(); i += static_cast<size_t>(K) / 4) x[i] = kParts[i / (static_cast<size_t>(K) / 4) % 4];
    };
    Format4Bit format{HALFBYTE_QUANT_TYPE_CUSTOM, 4096, false};
    format.custom = std::vector<float>(16, 1.0f);
    for (const char* splits : {"4", "8"})
        for (const int64_t M : {2, 12}) {
            const test::AskedKernel parts("stream_splits", splits);
            check_in_clusters({M, 4096, {40}, {format}}, DType::kBFloat16, cancel);
        }
}

// Where there are no clusters, and where K is too deep for eight of them.
TEST(matmul_4bit_stream_without_clusters) {
    const Case deep{17, 16512, {17}};
    EXPECT_EQUAL(workspace_of(*check(deep, DType::kBFloat16), deep), 8 * 17 * 17 * 4);
    for (const int architecture : {80, 86}) {
        const test::Architecture before(architecture);
        const Case split{16, 4096, {40}};
        EXPECT(workspace_of(*check(split, DType::kFloat16), split) > 0);
    }
}

TEST(matmul_4bit_stream_of_unaligned_matrices) {
    for (const DType dtype : kTypes)
        for (const int64_t M : {1, 9}) {
            check({M, 128, {40}, {{}}, true, 1, 1}, dtype);
            check({M, 128, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, false, 8}}, true, 8, 1}, dtype);
        }
}

TEST(matmul_4bit_stream_of_unaligned_statistics) {
    for (const int64_t blocksize : {64, 256})
        for (const bool is_nested : {false, true})
            for (const int64_t M : {1, 6}) {
                Format4Bit format{HALFBYTE_QUANT_TYPE_NF4, blocksize, is_nested};
                format.absmax_skew = 1;
                check({M, 256, {100}, {format}}, DType::kFloat16);
            }
}

TEST(matmul_4bit_stream_of_infinities) {
    for (const DType dtype : kTypes)
        for (const int64_t M : {3, 6, 20})
            for (const int64_t K : {80, 128})
                check({M, K, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype, test::put_infinities);
}

// Products with scaled table values overflow; with the statistic they would not have.
TEST(matmul_4bit_stream_of_large_activations) {
    const Spoil spoil = [](std::vector<double>& x, int64_t K) {
        std::fill(x.begin(), x.end(), 0.0);
        for (size_t i = 9; i < x.size(); i += static_cast<size_t>(K)) x[i] = test::round_to(DType::kBFloat16, 3e38f);
    };
    for (const int64_t K : {80, 128}) check({2, K, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, DType::kBFloat16, spoil);
}

// Tables with values that the type holds badly, whatever their scale: sums with such values are made from the definition. The first
// value, which no code names, takes part in the choice of the scale.
TEST(matmul_4bit_stream_of_extreme_tables) {
    const auto table = [](float first, float step) {
        std::vector<float> values = {first};
        for (int i = 1; i < 16; ++i) values.push_back(static_cast<float>(i - 8) * step);
        return values;
    };
    const Spoil enlarge = [](std::vector<double>& x, int64_t) {
        for (double& value : x) value = test::round_to(DType::kBFloat16, static_cast<float>(value * 1e38));
    };
    struct Extreme {
        std::vector<float> values;
        bool is_bad_float16, is_bad_bfloat16;
        Spoil spoil = nullptr;
    };
    for (const Extreme& extreme : {Extreme{table(3e38f, 0.1f), true, false}, Extreme{table(30000, 1.7e-6f), true, false},
                                   Extreme{table(1, 0.1f), false, false}, Extreme{table(0, 1e36f), false, false},
                                   Extreme{table(1e-39f, 1.3e-39f), true, true, enlarge},
                                   Extreme{table(3e38f, 1.3e-40f), true, true, enlarge}, Extreme{table(0, 0), false, false}})
        for (const DType dtype : kTypes)
            for (const int64_t M : {2, 7, 12}) {
                if (dtype == DType::kFloat16 && extreme.spoil != nullptr) continue;  // x has no values as large
                Format4Bit format{HALFBYTE_QUANT_TYPE_CUSTOM, 64, false};
                format.custom = extreme.values;
                const auto product = multiply({M, 256, {40}, {format}}, dtype, 7, extreme.spoil);
                const bool is_bad = dtype == DType::kFloat16 ? extreme.is_bad_float16 : extreme.is_bad_bfloat16;
                product->check_output(0,
                                      is_bad ? product->sums(0) : product->sums(0, multiplied_values(*product->weights[0], dtype)));
            }
}

TEST(matmul_4bit_stream_of_tiny_activations) {
    const Spoil spoil = [](std::vector<double>& x, int64_t) {
        for (double& value : x) value = test::round_to(DType::kBFloat16, static_cast<float>(value * 1e-38));
    };
    for (const int64_t M : {1, 9}) check({M, 128, {20}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, DType::kBFloat16, spoil);
}

// On GPUs whose blocks have less shared memory the table is packed more densely; sm_75 multiplies no bfloat16.
TEST(matmul_4bit_stream_before_sm_90) {
    for (const int architecture : {75, 80, 86, 89}) {
        const test::Architecture before(architecture);
        for (const DType dtype : kTypes)
            if (architecture >= 80 || dtype == DType::kFloat16)
                for (const int64_t M : {1, 6, 9}) {
                    for (const int64_t K : {80, 256})
                        check({M, K, {40, 7}, {{}, {HALFBYTE_QUANT_TYPE_FP4, 64, true}}, true}, dtype);
                    // Weights of one kind have kernels of their own.
                    check({M, 256, {40}, {{}}}, dtype);
                    check({M, 256, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype);
                    check({M, 256, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 128}}}, dtype);
                }
    }
}

// The table loses less than half of what weights rounded to 16 bits lose; here both results are rounded to the type as well.
TEST(matmul_4bit_stream_is_closer_than_dequantized_weights) {
    for (const DType dtype : kTypes)
        for (const int64_t M : {1, 2, 3, 4}) {
            double own = 0, dequantized = 0;
            for (uint64_t seed = 1; seed <= 3; ++seed) {
                const auto product = multiply({M, 1024, {256}}, dtype, seed);
                const std::vector<double> y = product->outputs[0]->download();
                const std::vector<test::Sum> exact = product->sums(0);
                product->weights[0]->dequantize(dtype);
                const std::vector<test::Sum> of_dequantized = product->sums(0);
                for (size_t i = 0; i < y.size(); ++i) {
                    const double rounded = test::round_to(dtype, static_cast<float>(of_dequantized[i].value));
                    own += std::pow(y[i] - exact[i].value, 2);
                    dequantized += std::pow(rounded - exact[i].value, 2);
                }
            }
            EXPECT(own < 0.8 * dequantized);
        }
}

// What the file comment of the kernel promises: nothing conflicts, and codes and statistics are read once.
TEST(matmul_4bit_stream_without_conflicts) {
    test::run_in_order({});
    for (const DType dtype : kTypes)
        for (const int64_t M : {1, 4, 8, 16}) {
            halfbyte::emulation::start_counting();
            check({M, 1024, {64}}, dtype);
            const auto counts = halfbyte::emulation::stop_counting();
            EXPECT(!counts.empty());
            for (const auto& [kernel, count] : counts) {
                if (kernel.find("matmul_4bit_stream_kernel") == std::string::npos) continue;
                EXPECT_EQUAL(count.bank_conflicts, 0);
                EXPECT_EQUAL(count.mma, 64 / 16 * ((M + 7) / 8) * 1024 / 16);
                EXPECT_EQUAL(count.permutes, 64 * 1024 / 2 / 32);
            }
        }
}

// Nested statistics are decoded once per warp and handed out: one lookup per statistic, and no conflict either.
TEST(matmul_4bit_stream_of_nested_statistics_without_conflicts) {
    test::run_in_order({});
    for (const DType dtype : kTypes)
        for (const int64_t M : {4, 8}) {
            halfbyte::emulation::start_counting();
            check({M, 2048, {64}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype);
            const auto counts = halfbyte::emulation::stop_counting();
            EXPECT(!counts.empty());
            for (const auto& [kernel, count] : counts) {
                if (kernel.find("matmul_4bit_stream_kernel") == std::string::npos) continue;
                EXPECT_EQUAL(count.bank_conflicts, 0);
                EXPECT_EQUAL(count.permutes, 64 * 2048 / 2 / 32 + 64 * 2048 / 64 / 32);
            }
        }
}
