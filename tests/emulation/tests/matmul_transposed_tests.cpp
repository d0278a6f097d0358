// The kernels of the transposed products under emulation, against float64 and within the written bound.
#include "cuda/kernels.h"
#include "tests/products.h"

using namespace halfbyte;
using test::Format4Bit;

namespace {

struct Case {
    int64_t M, K;
    std::vector<int64_t> N;
    std::vector<Format4Bit> formats = {{}};
    int64_t gap = 0, skew = 0;
};

std::unique_ptr<test::RandomWeight4Bit> random_weight(const Case& at, size_t i, const halfbyte_weight_4bit*) {
    return std::make_unique<test::RandomWeight4Bit>(at.N[i], at.K, at.formats[i % at.formats.size()], 7 + i);
}
std::unique_ptr<test::RandomWeightInt8> random_weight(const Case& at, size_t i, const halfbyte_weight_int8*) {
    return std::make_unique<test::RandomWeightInt8>(at.N[i], at.K, 7 + i, at.skew);
}

int64_t workspace_of(const MatMul4BitTransposed& op) { return cuda::matmul_4bit_transposed_workspace(op); }
int64_t workspace_of(const MatMulInt8Transposed& op) { return cuda::matmul_int8_transposed_workspace(op); }
cudaError_t run(const MatMul4BitTransposed& op) { return cuda::matmul_4bit_transposed(op, nullptr); }
cudaError_t run(const MatMulInt8Transposed& op) { return cuda::matmul_int8_transposed(op, nullptr); }

template <class Weight>
void check_product(const Case& at, DType dtype, bool spoil) {
    using Random = std::remove_pointer_t<decltype(random_weight(at, 0, static_cast<const Weight*>(nullptr)).get())>;
    test::Random random(static_cast<uint64_t>(at.M * 31 + at.K));
    std::vector<std::unique_ptr<Random>> weights;
    std::vector<std::unique_ptr<test::DeviceMatrix>> matrices;
    std::vector<std::vector<double>> dy;
    std::vector<Weight> descriptors;
    std::vector<halfbyte_gradient> gradients;
    int64_t terms = 0;
    for (size_t i = 0; i < at.N.size(); ++i) {
        weights.push_back(random_weight(at, i, static_cast<const Weight*>(nullptr)));
        descriptors.push_back(weights[i]->descriptor());
        dy.push_back(test::random_values(random, at.M * at.N[i], dtype));
        if (spoil) {
            dy[i][0] = std::numeric_limits<double>::infinity();
            dy[i][static_cast<size_t>(at.N[i] + 5)] = std::numeric_limits<double>::quiet_NaN();
        }
        matrices.push_back(std::make_unique<test::DeviceMatrix>(dtype, at.M, at.N[i], at.gap, at.skew));
        matrices[i]->upload(dy[i]);
        gradients.push_back({matrices[i]->data(), matrices[i]->ld()});
        terms += at.N[i];
    }
    const test::DeviceMatrix dx(dtype, at.M, at.K, at.gap);
    MatMulTransposed<Weight> op{
        static_cast<int64_t>(at.N.size()), descriptors.data(), nullptr, dtype, at.M, at.K, nullptr, at.K, nullptr};
    const test::Buffer<uint8_t> workspace(static_cast<size_t>(workspace_of(op)));
    op.gradients = gradients.data();
    op.dx = dx.data();
    op.lddx = dx.ld();
    op.workspace = workspace.data();
    EXPECT_SUCCESS(run(op));
    const std::string wrong = test::first_wrong(dx.download(), test::transposed_sums(weights, dy, at.M, at.K), terms, dtype);
    if (!wrong.empty())
        test::fail(__FILE__, __LINE__,
                   "M=" + std::to_string(at.M) + " N=" + std::to_string(at.N[0]) + " K=" + std::to_string(at.K) + " dtype " +
                       std::to_string(static_cast<int>(dtype)) + ": " + wrong);
    EXPECT(dx.gaps_are_untouched());
}

void check(const Case& at, DType dtype, bool spoil = false) {
    check_product<halfbyte_weight_4bit>(at, dtype, spoil);
    check_product<halfbyte_weight_int8>(at, dtype, spoil);
}

}  // namespace

TEST(transposed_products_of_any_shape) {
    for (const DType dtype : test::kProductTypes)
        for (const auto& [N, K] : {std::pair<int64_t, int64_t>{1, 1},
                                   {2, 1},
                                   {1, 2},
                                   {3, 31},
                                   {16, 32},
                                   {8, 33},
                                   {33, 63},
                                   {32, 64},
                                   {17, 65},
                                   {129, 100},
                                   {64, 256},
                                   {31, 513},
                                   {40, 136},
                                   {0, 5}})
            for (const int64_t M : {1, 5, 65}) check({M, K, {N}}, dtype);
}

TEST(transposed_products_of_several_weights) {
    const std::vector<Format4Bit> formats = {
        {}, {HALFBYTE_QUANT_TYPE_FP4, 32, true}, {HALFBYTE_QUANT_TYPE_CUSTOM, 256, false}, {HALFBYTE_QUANT_TYPE_NF4, 4096, true}};
    for (const DType dtype : test::kProductTypes)
        for (const int64_t M : {1, 20}) {
            check({M, 96, {5, 33, 0, 64, 40}, formats}, dtype);
            check({M, 75, {5, 33, 0, 64, 40}, formats, 3, 1}, dtype);
            check({M, 64, {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 33}, formats, 8}, dtype);  // two launches
        }
}

TEST(transposed_products_split_in_depth) {
    for (const DType dtype : test::kProductTypes) check({3, 40, {1100, 600}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype);
}

TEST(transposed_products_keep_infinities_in_their_row) {
    for (const DType dtype : test::kProductTypes) check({4, 64, {40}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype, true);
}

// Before sm_80 there are no tensor-core products of bfloat16.
TEST(transposed_products_before_sm_80) {
    const test::Architecture before(75);
    for (const DType dtype : test::kProductTypes) {
        check({20, 75, {5, 33, 0, 64, 40}}, dtype);
        check({70, 130, {40}}, dtype, true);
    }
}

// Planes and sums in shared memory: what is read at once lies in different banks.
TEST(transposed_products_without_conflicts) {
    test::run_in_order({});
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
        halfbyte::emulation::start_counting();
        check({64, 256, {64}}, dtype);
        const auto counts = halfbyte::emulation::stop_counting();
        int64_t found = 0;
        for (const auto& [kernel, count] : counts) {
            if (kernel.find("transposed_mma_kernel") == std::string::npos) continue;
            ++found;
            EXPECT_EQUAL(count.bank_conflicts, 0);
        }
        EXPECT_EQUAL(found, 2);
    }
}
