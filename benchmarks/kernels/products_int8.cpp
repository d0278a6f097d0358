// Rows of matmul_int8 and matmul_int8_transposed, bfloat16.
//
// The peer "int8" is the bare product of two int8 matrices to int32: without quantizing x before and without the conversion after,
// which ours contains. Activations have a column ten times as large in each 512, so that threshold 6 finds what a language model
// gives it.
#include "products.h"

namespace halfbyte::benchmark {
namespace {

constexpr float kThreshold = 6;

Row matmul_int8(Bench& bench, const std::string& name, int64_t M, int64_t N, int64_t K, float threshold) {
    Weight& weight = bench.weights->get(N, K);
    const int rounds = weight.int8_rounds();
    const Buffer x = activations(bench, Element::kBFloat16, M, K, true), y(2 * M * N), sums(4 * M * N);
    Row row = product_row(name, "matmul_int8", threshold > 0 ? "int8 rows, threshold 6" : "int8 rows", M, N, K);
    row.bytes = static_cast<double>(N) * static_cast<double>(K + 4) + 2 * static_cast<double>(M) * static_cast<double>(N + K);
    const halfbyte_output output{y.as<>(), N, nullptr, 0};
    const halfbyte_weight_int8 first = weight.int8(0);
    int64_t workspace_bytes = 0;
    check(halfbyte_matmul_int8_workspace(bench.stream, 1, &first, HALFBYTE_DTYPE_BFLOAT16, M, threshold, &workspace_bytes));
    const Buffer workspace(workspace_bytes);
    RowBuilder builder(bench, std::move(row));
    builder.ours(
        [&](int i) {
            const halfbyte_weight_int8 w = weight.int8(i);
            check(halfbyte_matmul_int8(bench.stream, 1, &w, x.as<>(), HALFBYTE_DTYPE_BFLOAT16, M, K, threshold, &output,
                                       workspace.as<>(), workspace_bytes));
        },
        rounds);
    builder.gemm(peer::kBFloat16, GemmKind::kBFloat16, M, N, K, weight.bfloat16(), x.as<>(), y.as<>());
    const Buffer bytes = activations(bench, Element::kBFloat16, M, K / 2, false);  // any random bytes
    builder.gemm(peer::kInt8, GemmKind::kInt8, M, N, K, weight.codes(), bytes.as<>(), sums.as<>());

    const Bitsandbytes* b = bench.bitsandbytes.get();
    const bool is_there = b != nullptr && b->quantize_rows != nullptr && b->gemm_int8 != nullptr &&
                          b->dequantize_product != nullptr && b->context != nullptr;
    if (!is_there) builder.absent(peer::kBitsandbytes, b != nullptr ? "this build lacks the function" : bench.bitsandbytes_reason);
    const Buffer half = activations(bench, Element::kFloat16, is_there ? M : 0, K, true), codes(M * K), absmax(4 * M);
    if (is_there)
        builder.peer(
            peer::kBitsandbytes,
            [&](int i) {
                const halfbyte_weight_int8 w = weight.int8(i);
                const int m = static_cast<int>(M), n = static_cast<int>(N), k = static_cast<int>(K);
                b->quantize_rows(half.as<>(), codes.as<int8_t>(), absmax.as<float>(), threshold, m, k, bench.cuda);
                if (b->gemm_int8(b->context, k, m, n, static_cast<const int8_t*>(w.codes), codes.as<int8_t>(), sums.as<>(), nullptr,
                                 k, k, n, bench.cuda) != 0)
                    throw std::runtime_error("bitsandbytes: cigemmlt_32 failed");
                b->dequantize_product(sums.as<int>(), absmax.as<float>(), static_cast<float*>(const_cast<void*>(w.absmax)),
                                      y.as<>(), nullptr, m, n, bench.cuda);
            },
            rounds, threshold > 0 ? "float16; without the outliers' product, which PyTorch does" : "float16");
    return builder.measure();
}

Row matmul_int8_transposed(Bench& bench, const std::string& name, int64_t M, int64_t N, int64_t K) {
    Weight& weight = bench.weights->get(N, K);
    const int rounds = weight.int8_rounds();
    const Buffer dy = activations(bench, Element::kBFloat16, M, N, false), dx(2 * M * K);
    Row row = product_row(name, "matmul_int8_transposed", "int8 rows", M, N, K);
    row.bytes = static_cast<double>(N) * static_cast<double>(K + 4) + 2 * static_cast<double>(M) * static_cast<double>(N + K);
    const halfbyte_gradient gradient{dy.as<>(), N};
    const halfbyte_weight_int8 first = weight.int8(0);
    int64_t workspace_bytes = 0;
    check(halfbyte_matmul_int8_transposed_workspace(bench.stream, 1, &first, HALFBYTE_DTYPE_BFLOAT16, M, &workspace_bytes));
    const Buffer workspace(workspace_bytes);
    RowBuilder builder(bench, std::move(row));
    builder.ours(
        [&](int i) {
            const halfbyte_weight_int8 w = weight.int8(i);
            check(halfbyte_matmul_int8_transposed(bench.stream, 1, &w, &gradient, HALFBYTE_DTYPE_BFLOAT16, M, dx.as<>(), K,
                                                  workspace.as<>(), workspace_bytes));
        },
        rounds);
    builder.gemm(peer::kBFloat16, GemmKind::kBFloat16Transposed, M, N, K, weight.bfloat16(), dy.as<>(), dx.as<>());
    const Slab full(weight.bfloat16().count(), 2 * N * K);
    builder.dequantized_gemm(
        peer::kDequantize, GemmKind::kBFloat16Transposed, M, N, K,
        [&](int i) {
            const halfbyte_weight_int8 w = weight.int8(i);
            check(halfbyte_dequantize_int8(bench.stream, &w, full.at(i), HALFBYTE_DTYPE_BFLOAT16));
        },
        rounds, full, dy.as<>(), dx.as<>());
    return builder.measure();
}

}  // namespace

void add_product_int8_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers) {
    for (const Layer& layer : layers) {
        const int64_t N = layer.N, K = layer.K;
        const bool is_target = layer.kind == Layer::kTarget;
        for (const int64_t M : {1, 16, 64, 256, 2048, 4096})
            for (const float threshold : {0.0f, kThreshold})
                tasks.push_back({product_name(threshold > 0 ? "matmul_int8 threshold=6" : "matmul_int8", N, K, M),
                                 layer.kind == Layer::kHead ? 3
                                 : is_target                ? 1
                                                            : 2,
                                 [=](Bench& b, const std::string& name) { return matmul_int8(b, name, M, N, K, threshold); }});
        for (const int64_t M : {256, 1024, 4096})
            tasks.push_back({product_name("matmul_int8_transposed", N, K, M), layer.kind == Layer::kHead ? 3 : 2,
                             [=](Bench& b, const std::string& name) { return matmul_int8_transposed(b, name, M, N, K); }});
    }
}

}  // namespace halfbyte::benchmark
