// Rows of quantize_blockwise, dequantize_blockwise, quantize_int8_rows and dequantize_int8.
#include "conversions.h"

namespace halfbyte::benchmark {
namespace {

constexpr float kThreshold = 6;

Row blockwise(Bench& bench, const std::string& name, int64_t N, int64_t K, bool is_quantizing) {
    const int64_t n = N * K, blocksize = 256;
    const int rounds = bench.weights->get(N, K).rounds(4 * n);
    const Slab from(rounds, 4 * n), to(rounds, 4 * n), codes(rounds, n), absmax(rounds, 4 * (n / blocksize));
    for (int i = 0; i < rounds; ++i) {
        check(fill_normal(from.at(i), Element::kFloat32, n, static_cast<uint64_t>(i), kDeviation, K, 0, bench.cuda), "fill_normal");
        check(halfbyte_quantize_blockwise(bench.stream, from.at(i), HALFBYTE_DTYPE_FLOAT32, n, blocksize, nullptr,
                                          codes.at<uint8_t>(i), absmax.at<float>(i)));
    }
    Row row =
        conversion_row(name, is_quantizing ? "quantize_blockwise" : "dequantize_blockwise", "8-bit blocks of 256", "fp32", N, K);
    row.bytes = static_cast<double>(n) * (5 + 4.0 / static_cast<double>(blocksize));
    RowBuilder builder(bench, std::move(row));
    builder.ours(
        [&](int i) {
            check(is_quantizing ? halfbyte_quantize_blockwise(bench.stream, from.at(i), HALFBYTE_DTYPE_FLOAT32, n, blocksize,
                                                              nullptr, codes.at<uint8_t>(i), absmax.at<float>(i))
                                : halfbyte_dequantize_blockwise(bench.stream, codes.at<uint8_t>(i), absmax.at<float>(i), n,
                                                                blocksize, nullptr, to.at(i), HALFBYTE_DTYPE_FLOAT32));
        },
        rounds);
    add_copies(bench, builder, from, to, 4 * n);
    float table[256];
    check(halfbyte_codebook_values(HALFBYTE_CODEBOOK_DYNAMIC_SIGNED, table, 256));
    const Buffer map(sizeof table);
    check(halfbyte_copy_from_host(bench.stream, map.as<>(), table, sizeof table));
    const Bitsandbytes* b = bench.bitsandbytes.get();
    if (is_quantizing && has(bench, builder, b ? b->quantize_float32 : nullptr))
        builder.peer(
            peer::kBitsandbytes,
            [&, b](int i) {
                b->quantize_float32(map.as<float>(), from.at(i), absmax.at<float>(i), codes.at<uint8_t>(i),
                                    static_cast<int>(blocksize), static_cast<int>(n));
            },
            rounds, "default stream, no graph", true);
    if (!is_quantizing && has(bench, builder, b ? b->dequantize_float32 : nullptr))
        builder.peer(
            peer::kBitsandbytes,
            [&, b](int i) {
                b->dequantize_float32(map.as<float>(), codes.at<uint8_t>(i), absmax.at<float>(i), to.at(i),
                                      static_cast<int>(blocksize), static_cast<int>(n), bench.cuda);
            },
            rounds);
    return builder.measure();
}

Row quantize_int8_rows(Bench& bench, const std::string& name, int64_t rows, int64_t K, float threshold) {
    const int64_t n = rows * K;
    const int rounds = bench.weights->get(rows, K).rounds(2 * n);
    const Slab from(rounds, 2 * n), copy(rounds, 2 * n), codes(rounds, n), absmax(rounds, 4 * rows), columns(rounds, 8 * K),
        count(rounds, 8);
    for (int i = 0; i < rounds; ++i)
        check(fill_normal(from.at(i), Element::kBFloat16, n, static_cast<uint64_t>(i), 1, K, 512, bench.cuda), "fill_normal");
    int64_t workspace_bytes = 0;
    check(halfbyte_quantize_int8_rows_workspace(bench.stream, rows, K, threshold, &workspace_bytes));
    const Buffer workspace(workspace_bytes);
    Row row = conversion_row(name, "quantize_int8_rows", threshold > 0 ? "int8 rows, threshold 6" : "int8 rows", "bf16", rows, K);
    row.bytes = 3 * static_cast<double>(n) + 4 * static_cast<double>(rows);
    RowBuilder builder(bench, std::move(row));
    builder.ours(
        [&](int i) {
            check(halfbyte_quantize_int8_rows(bench.stream, from.at(i), HALFBYTE_DTYPE_BFLOAT16, rows, K, K, threshold,
                                              codes.at<int8_t>(i), absmax.at<float>(i),
                                              threshold > 0 ? columns.at<int64_t>(i) : nullptr,
                                              threshold > 0 ? count.at<int64_t>(i) : nullptr, workspace.as<>(), workspace_bytes));
        },
        rounds);
    add_copies(bench, builder, from, copy, 2 * n);
    const Bitsandbytes* b = bench.bitsandbytes.get();
    const bool is_there = has(bench, builder, b ? b->quantize_rows : nullptr);
    const Slab half(is_there ? rounds : 0, 2 * n);
    for (int i = 0; i < half.count(); ++i)
        check(fill_normal(half.at(i), Element::kFloat16, n, static_cast<uint64_t>(i), 1, K, 512, bench.cuda), "fill_normal");
    if (is_there)
        builder.peer(
            peer::kBitsandbytes,
            [&, b](int i) {
                b->quantize_rows(half.at(i), codes.at<int8_t>(i), absmax.at<float>(i), threshold, static_cast<int>(rows),
                                 static_cast<int>(K), bench.cuda);
            },
            rounds, threshold > 0 ? "float16; without finding and clearing the columns, which PyTorch does" : "float16");
    return builder.measure();
}

Row dequantize_int8(Bench& bench, const std::string& name, int64_t N, int64_t K) {
    Weight& weight = bench.weights->get(N, K);
    const int rounds = weight.int8_rounds();
    const Slab &full = weight.bfloat16(), output(full.count(), 2 * N * K);
    Row row = conversion_row(name, "dequantize_int8", "int8 rows", "bf16", N, K);
    row.bytes = 3 * static_cast<double>(N * K) + 4 * static_cast<double>(N);
    RowBuilder builder(bench, std::move(row));
    builder.ours(
        [&](int i) {
            const halfbyte_weight_int8 w = weight.int8(i);
            check(halfbyte_dequantize_int8(bench.stream, &w, output.at(i), HALFBYTE_DTYPE_BFLOAT16));
        },
        rounds);
    add_copies(bench, builder, full, output, 2 * N * K);
    return builder.measure();
}

}  // namespace

void add_conversion_8bit_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers) {
    for (const Layer& layer : layers) {
        const int64_t N = layer.N, K = layer.K;
        const int first = conversion_priority(layers, layer), later = std::max(first, 1);
        const auto add = [&](const char* operation, int priority, std::function<Row(Bench&, const std::string&)> run) {
            tasks.push_back({conversion_name(operation, layer), priority, std::move(run)});
        };
        add("quantize_int8_rows", first, [=](Bench& b, const std::string& name) { return quantize_int8_rows(b, name, N, K, 0); });
        add("quantize_blockwise", first, [=](Bench& b, const std::string& name) { return blockwise(b, name, N, K, true); });
        add("dequantize_blockwise", first, [=](Bench& b, const std::string& name) { return blockwise(b, name, N, K, false); });
        add("quantize_int8_rows threshold=6", later,
            [=](Bench& b, const std::string& name) { return quantize_int8_rows(b, name, N, K, kThreshold); });
        add("dequantize_int8", later, [=](Bench& b, const std::string& name) { return dequantize_int8(b, name, N, K); });
    }
}

}  // namespace halfbyte::benchmark
