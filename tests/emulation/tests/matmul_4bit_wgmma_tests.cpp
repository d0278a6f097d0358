// The 4-bit product on Hopper's tensor cores under emulation, asked for by name: operands as dequantization makes them, within the
// bound of float32 sums.
#include <algorithm>

#include "cuda/kernel_choice.h"
#include "cuda/kernels.h"
#include "tests/products.h"

using namespace halfbyte;
using test::Format4Bit;

namespace {

constexpr DType kTypes[] = {DType::kFloat16, DType::kBFloat16};

// While it lives, products run on this kernel or not at all.
class Asked {
   public:
    explicit Asked(const char* name) { cuda::ask_for_kernel("matmul_4bit", name); }
    Asked(const Asked&) = delete;
    Asked& operator=(const Asked&) = delete;
    ~Asked() { cuda::ask_for_kernel("matmul_4bit", ""); }
};

struct Case {
    int64_t M, K;
    std::vector<int64_t> N;
    std::vector<Format4Bit> formats = {{}};
    bool bias = false;
    int64_t gap_x = 0, gap_y = 0, skew_x = 0;
};

using Spoil = void (*)(std::vector<double>&, int64_t K);

// The products and their references.
class Product {
   public:
    Product(const Case& at, DType dtype, Spoil spoil = nullptr)
        : at_(at), dtype_(dtype), x_(dtype, at.M, at.K, at.gap_x, at.skew_x) {
        test::Random random(static_cast<uint64_t>(at.M * 31 + at.K));
        std::vector<double> x = test::random_values(random, at.M * at.K, dtype);
        if (spoil != nullptr) spoil(x, at.K);
        x_.upload(x);
        for (size_t i = 0; i < at.N.size(); ++i) {
            weights_.push_back(std::make_unique<test::RandomWeight4Bit>(at.N[i], at.K, at.formats[i % at.formats.size()], 7 + i));
            descriptors_.push_back(weights_[i]->descriptor());
            outputs_.push_back(std::make_unique<test::DeviceMatrix>(dtype, at.M, at.N[i], at.gap_y));
            const DType bias_dtype = test::kProductTypes[i % 3];
            biases_.push_back(std::make_unique<test::DeviceMatrix>(bias_dtype, 1, at.N[i]));
            const std::vector<double> bias = test::random_values(random, at.N[i], bias_dtype);
            biases_[i]->upload(bias);
            targets_.push_back(
                {outputs_[i]->data(), outputs_[i]->ld(), at.bias ? biases_[i]->data() : nullptr, static_cast<int64_t>(bias_dtype)});
            add_reference(x, *weights_[i], bias);
        }
    }

    cudaError_t run() {
        MatMul4Bit op{
            static_cast<int64_t>(at_.N.size()), descriptors_.data(), nullptr, dtype_, at_.M, at_.K, at_.K, 0, nullptr, nullptr};
        workspace_ = std::make_unique<test::Buffer<uint8_t>>(static_cast<size_t>(cuda::matmul_4bit_workspace(op)));
        op.x = x_.data();
        op.ldx = x_.ld();
        op.outputs = targets_.data();
        op.workspace = workspace_->data();
        return cuda::matmul_4bit(op, nullptr);
    }

    void check() {
        EXPECT_SUCCESS(run());
        for (size_t i = 0; i < at_.N.size(); ++i) {
            const std::string wrong = test::first_wrong(outputs_[i]->download(), sums_[i], at_.K, dtype_);
            if (!wrong.empty())
                test::fail(__FILE__, __LINE__,
                           "M=" + std::to_string(at_.M) + " N=" + std::to_string(at_.N[i]) + " K=" + std::to_string(at_.K) +
                               " dtype " + std::to_string(static_cast<int>(dtype_)) + " weight " + std::to_string(i) + ": " +
                               wrong);
            EXPECT(outputs_[i]->gaps_are_untouched());
        }
    }

    std::vector<double> values(size_t i) const { return outputs_[i]->download(); }

   private:
    // In float64, over weights as dequantization would round them.
    void add_reference(const std::vector<double>& x, const test::RandomWeight4Bit& weight, const std::vector<double>& bias) {
        const auto N = static_cast<size_t>(weight.descriptor().N), K = static_cast<size_t>(at_.K);
        std::vector<double> rounded;
        for (const double value : weight.values) rounded.push_back(test::round_to(dtype_, static_cast<float>(value)));
        std::vector<test::Sum> sums;
        for (size_t m = 0; m < static_cast<size_t>(at_.M); ++m)
            for (size_t n = 0; n < N; ++n) {
                test::Sum sum;
                if (at_.bias) sum.add(bias[n]);
                for (size_t k = 0; k < K; ++k) sum.add(x[m * K + k] * rounded[n * K + k]);
                sums.push_back(sum);
            }
        sums_.push_back(std::move(sums));
    }

    Case at_;
    DType dtype_;
    test::DeviceMatrix x_;
    std::vector<std::unique_ptr<test::RandomWeight4Bit>> weights_;
    std::vector<std::unique_ptr<test::DeviceMatrix>> outputs_, biases_;
    std::vector<halfbyte_weight_4bit> descriptors_;
    std::vector<halfbyte_output> targets_;
    std::vector<std::vector<test::Sum>> sums_;
    std::unique_ptr<test::Buffer<uint8_t>> workspace_;
};

void check(const Case& at, DType dtype, Spoil spoil = nullptr) { Product(at, dtype, spoil).check(); }

}  // namespace

TEST(matmul_4bit_wgmma_of_any_shape) {
    const Asked asked("wgmma");
    for (const DType dtype : kTypes)
        for (const int64_t M : {65, 128, 129, 256, 300})
            for (const auto& [N, K] : {std::pair<int64_t, int64_t>{1, 16}, {64, 80}, {130, 64}, {257, 80}, {5, 320}})
                check({M, K, {N}}, dtype);
}

TEST(matmul_4bit_wgmma_of_every_format) {
    const Asked asked("wgmma");
    std::vector<Format4Bit> formats;
    for (const int32_t type : {HALFBYTE_QUANT_TYPE_FP4, HALFBYTE_QUANT_TYPE_NF4, HALFBYTE_QUANT_TYPE_CUSTOM})
        for (const bool nested : {false, true})
            for (const int64_t blocksize : {32, 64, 256, 4096}) formats.push_back({type, blocksize, nested});
    std::vector<int64_t> rows;
    for (size_t i = 0; i < formats.size(); ++i) rows.push_back(static_cast<int64_t>(1 + i * 7 % 140));
    rows[3] = 0;
    for (const DType dtype : kTypes)
        for (const int64_t K : {64, 144, 192}) check({65, K, rows, formats, true}, dtype);
}

// The last stage is ragged, rows of the weight do not begin at multiples of 16 bytes, and blocks begin within a stage.
TEST(matmul_4bit_wgmma_of_ragged_depth) {
    for (const char* kernel : {"wgmma", "chunks"}) {
        const Asked asked(kernel);
        for (const DType dtype : kTypes)
            check({65, 4304, {3, 2, 4}, {{}, {HALFBYTE_QUANT_TYPE_FP4, 64, true}, {HALFBYTE_QUANT_TYPE_NF4, 32, false}}, true},
                  dtype);
    }
}

TEST(matmul_4bit_chunks_equal_wgmma) {
    const std::vector<Format4Bit> formats = {{}, {HALFBYTE_QUANT_TYPE_FP4, 128, true}, {HALFBYTE_QUANT_TYPE_CUSTOM, 32, true}};
    for (const DType dtype : kTypes)
        for (const auto& [M, K] : {std::pair<int64_t, int64_t>{65, 64}, {257, 208}, {300, 64}}) {
            std::vector<std::vector<double>> results[2];
            for (int i = 0; i < 2; ++i) {
                const Asked asked(i == 0 ? "wgmma" : "chunks");
                Product product({M, K, {64, 130, 0, 33}, formats, true, 8, 3}, dtype);
                product.check();
                for (size_t w = 0; w < 4; ++w) results[i].push_back(product.values(w));
            }
            EXPECT(results[0] == results[1]);
        }
}
