// Rows of matmul_4bit and matmul_4bit_transposed, NF4 and bfloat16.
//
// Bytes: codes and statistics once, x and y once. Every call of a graph takes another copy of the weight, so that it comes from
// memory; x is the same one, and small enough to stay in the cache, as after the layer before.
#include "products.h"

namespace halfbyte::benchmark {
namespace {

// bitsandbytes as its Python package would do it: its fused kernel, or its dequantization and cuBLAS. Where its rule for this GPU
// is not known here, the faster of both.
void add_bitsandbytes(Bench& bench, RowBuilder& builder, Weight& weight, bool is_nested, int64_t M, const Slab& full,
                      const Buffer& x, const Buffer& y) {
    const Bitsandbytes* b = bench.bitsandbytes.get();
    if (b == nullptr) return builder.absent(peer::kBitsandbytes, bench.bitsandbytes_reason);
    if (b->gemm_4bit == nullptr || b->dequantize_nf4 == nullptr)
        return builder.absent(peer::kBitsandbytes, "this build lacks the function");
    const int64_t N = weight.N, K = weight.K;
    const bool is_known = bench.machine.capability == 90;
    const bool is_fused = bitsandbytes_is_fused(M, N, K, bench.machine.multiprocessors);
    const int rounds = weight.four_bit_rounds();
    if (is_fused || !is_known)
        builder.peer(
            peer::kBitsandbytes,
            [&, b, is_nested, M, N, K](int i) {
                const float* absmax = is_nested ? weight.nested_absmax().at<float>(i) : weight.absmax().at<float>(i);
                b->gemm_4bit(x.as<>(), weight.packed().at<uint8_t>(i), absmax,
                             is_nested ? weight.nested_codes().at<uint8_t>(i) : nullptr,
                             is_nested ? weight.nested_codebook() : nullptr, is_nested ? weight.nested_offset(i) : nullptr,
                             y.as<>(), nullptr, static_cast<int>(M), static_cast<int>(N), static_cast<int>(K), kBlocksize,
                             HALFBYTE_QUANT_TYPE_NF4, bench.cuda);
            },
            rounds, "fused kernel");
    if (!is_fused || !is_known)
        builder.dequantized_gemm(
            peer::kBitsandbytes, GemmKind::kBFloat16, M, N, K,
            [&, b, N, K](int i) {
                b->dequantize_nf4(nullptr, weight.packed().at<uint8_t>(i), weight.absmax().at<float>(i), full.at(i), kBlocksize,
                                  static_cast<int>(N * K), bench.cuda);
            },
            rounds, full, x.as<>(), y.as<>(),
            is_nested ? "its dequantization of plain statistics, then cuBLASLt" : "its dequantization, then cuBLASLt");
}

Row matmul_4bit(Bench& bench, const std::string& name, int64_t M, int64_t N, int64_t K, bool is_nested) {
    Weight& weight = bench.weights->get(N, K);
    const int rounds = weight.four_bit_rounds();
    const Buffer x = activations(bench, Element::kBFloat16, M, K, false), y(2 * M * N);
    Row row = product_row(name, "matmul_4bit", is_nested ? "nf4 nested" : "nf4", M, N, K);
    row.bytes = four_bit_bytes(N, K, is_nested) + 2 * static_cast<double>(M) * static_cast<double>(N + K);
    const halfbyte_output output{y.as<>(), N, nullptr, 0};
    int64_t workspace_bytes = 0;
    for (const bool nested : {false, true}) {
        const halfbyte_weight_4bit w = weight.four_bit(0, nested);
        int64_t bytes = 0;
        check(halfbyte_matmul_4bit_workspace(bench.stream, 1, &w, HALFBYTE_DTYPE_BFLOAT16, M, &bytes));
        workspace_bytes = std::max(workspace_bytes, bytes);
    }
    const Buffer workspace(workspace_bytes);
    const auto product = [&](int i, bool nested) {
        const halfbyte_weight_4bit w = weight.four_bit(i, nested);
        check(halfbyte_matmul_4bit(bench.stream, 1, &w, x.as<>(), HALFBYTE_DTYPE_BFLOAT16, M, K, &output, workspace.as<>(),
                                   workspace_bytes));
    };
    RowBuilder builder(bench, std::move(row));
    builder.ours([&](int i) { product(i, is_nested); }, rounds);
    if (is_nested)
        builder.peer(
            peer::kPlain, [&](int i) { product(i, false); }, rounds);
    builder.gemm(peer::kBFloat16, GemmKind::kBFloat16, M, N, K, weight.bfloat16(), x.as<>(), y.as<>());
    // As many full-width copies as there are of the bfloat16 weight: what is written goes to memory and not into the cache.
    const Slab full(weight.bfloat16().count(), 2 * N * K);
    if (M >= 8)
        builder.dequantized_gemm(
            peer::kDequantize, GemmKind::kBFloat16, M, N, K,
            [&](int i) {
                const halfbyte_weight_4bit w = weight.four_bit(i, is_nested);
                check(halfbyte_dequantize_4bit(bench.stream, &w, full.at(i), HALFBYTE_DTYPE_BFLOAT16));
            },
            rounds, full, x.as<>(), y.as<>());
    add_bitsandbytes(bench, builder, weight, is_nested, M, full, x, y);
    return builder.measure();
}

Row matmul_4bit_transposed(Bench& bench, const std::string& name, int64_t M, int64_t N, int64_t K) {
    Weight& weight = bench.weights->get(N, K);
    const int rounds = weight.four_bit_rounds();
    const Buffer dy = activations(bench, Element::kBFloat16, M, N, false), dx(2 * M * K);
    Row row = product_row(name, "matmul_4bit_transposed", "nf4", M, N, K);
    row.bytes = four_bit_bytes(N, K, false) + 2 * static_cast<double>(M) * static_cast<double>(N + K);
    const halfbyte_gradient gradient{dy.as<>(), N};
    const halfbyte_weight_4bit first = weight.four_bit(0, false);
    int64_t workspace_bytes = 0;
    check(halfbyte_matmul_4bit_transposed_workspace(bench.stream, 1, &first, HALFBYTE_DTYPE_BFLOAT16, M, &workspace_bytes));
    const Buffer workspace(workspace_bytes);
    RowBuilder builder(bench, std::move(row));
    builder.ours(
        [&](int i) {
            const halfbyte_weight_4bit w = weight.four_bit(i, false);
            check(halfbyte_matmul_4bit_transposed(bench.stream, 1, &w, &gradient, HALFBYTE_DTYPE_BFLOAT16, M, dx.as<>(), K,
                                                  workspace.as<>(), workspace_bytes));
        },
        rounds);
    builder.gemm(peer::kBFloat16, GemmKind::kBFloat16Transposed, M, N, K, weight.bfloat16(), dy.as<>(), dx.as<>());
    const Slab full(weight.bfloat16().count(), 2 * N * K);
    builder.dequantized_gemm(
        peer::kDequantize, GemmKind::kBFloat16Transposed, M, N, K,
        [&](int i) {
            const halfbyte_weight_4bit w = weight.four_bit(i, false);
            check(halfbyte_dequantize_4bit(bench.stream, &w, full.at(i), HALFBYTE_DTYPE_BFLOAT16));
        },
        rounds, full, dy.as<>(), dx.as<>());
    if (const Bitsandbytes* b = bench.bitsandbytes.get(); b != nullptr && b->dequantize_nf4 != nullptr)
        builder.dequantized_gemm(
            peer::kBitsandbytes, GemmKind::kBFloat16Transposed, M, N, K,
            [&, b](int i) {
                b->dequantize_nf4(nullptr, weight.packed().at<uint8_t>(i), weight.absmax().at<float>(i), full.at(i), kBlocksize,
                                  static_cast<int>(N * K), bench.cuda);
            },
            rounds, full, dy.as<>(), dx.as<>(), "its dequantization, then cuBLASLt");
    else builder.absent(peer::kBitsandbytes, b != nullptr ? "this build lacks the function" : bench.bitsandbytes_reason);
    return builder.measure();
}

}  // namespace

void add_product_4bit_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers) {
    for (const Layer& layer : layers) {
        const int64_t N = layer.N, K = layer.K;
        const bool is_target = layer.kind == Layer::kTarget;
        for (const int64_t M : {1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096}) {
            // Of the layers that no target names, five sizes come before the others.
            const bool is_early = M == 1 || M == 8 || M == 16 || M == 64 || M == 256;
            const int priority = layer.kind == Layer::kHead ? 3 : is_target ? 0 : is_early ? 1 : 2;
            tasks.push_back({product_name("matmul_4bit nf4", N, K, M), priority,
                             [=](Bench& b, const std::string& name) { return matmul_4bit(b, name, M, N, K, false); }});
            const int nested = layer.kind == Layer::kHead ? 3 : is_target && M == 1 ? 0 : M == 1 ? 1 : 2;
            tasks.push_back({product_name("matmul_4bit nf4 nested", N, K, M), nested,
                             [=](Bench& b, const std::string& name) { return matmul_4bit(b, name, M, N, K, true); }});
        }
        for (const int64_t M : {256, 1024, 4096})
            tasks.push_back({product_name("matmul_4bit_transposed nf4", N, K, M),
                             layer.kind == Layer::kHead ? 3
                             : is_target                ? 0
                                                        : 2,
                             [=](Bench& b, const std::string& name) { return matmul_4bit_transposed(b, name, M, N, K); }});
    }
}

}  // namespace halfbyte::benchmark
