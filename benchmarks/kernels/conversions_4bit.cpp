// Rows of quantize_4bit, dequantize_4bit and double_quantize.
#include "conversions.h"

namespace halfbyte::benchmark {
namespace {

Row quantize_4bit(Bench& bench, const std::string& name, int64_t N, int64_t K) {
    Weight& weight = bench.weights->get(N, K);
    const int64_t n = N * K;
    const Slab &from = weight.bfloat16(), packed(from.count(), n / 2), absmax(from.count(), n / kBlocksize * 4),
               copy(from.count(), 2 * n);
    Row row = conversion_row(name, "quantize_4bit", "nf4", "bf16", N, K);
    row.bytes = 2 * static_cast<double>(n) + four_bit_bytes(N, K, false);
    RowBuilder builder(bench, std::move(row));
    builder.ours(
        [&](int i) {
            check(halfbyte_quantize_4bit(bench.stream, from.at(i), HALFBYTE_DTYPE_BFLOAT16, n, kBlocksize, HALFBYTE_QUANT_TYPE_NF4,
                                         nullptr, packed.at<uint8_t>(i), absmax.at<float>(i)));
        },
        from.count());
    add_copies(bench, builder, from, copy, 2 * n);
    if (has(bench, builder, bench.bitsandbytes ? bench.bitsandbytes->quantize_nf4 : nullptr))
        builder.peer(
            peer::kBitsandbytes,
            [&](int i) {
                bench.bitsandbytes->quantize_nf4(nullptr, from.at(i), absmax.at<float>(i), packed.at<uint8_t>(i), kBlocksize,
                                                 static_cast<int>(n));
            },
            from.count(), "default stream, no graph", true);
    return builder.measure();
}

Row dequantize_4bit(Bench& bench, const std::string& name, int64_t N, int64_t K, bool is_nested) {
    Weight& weight = bench.weights->get(N, K);
    const int64_t n = N * K, blocks = n / kBlocksize;
    const int rounds = weight.four_bit_rounds();
    const Slab &full = weight.bfloat16(), output(full.count(), 2 * n);
    const Buffer statistics(4 * blocks);
    Row row = conversion_row(name, "dequantize_4bit", is_nested ? "nf4 nested" : "nf4", "bf16", N, K);
    row.bytes = 2 * static_cast<double>(n) + four_bit_bytes(N, K, is_nested);
    RowBuilder builder(bench, std::move(row));
    builder.ours(
        [&](int i) {
            const halfbyte_weight_4bit w = weight.four_bit(i, is_nested);
            check(halfbyte_dequantize_4bit(bench.stream, &w, output.at(i), HALFBYTE_DTYPE_BFLOAT16));
        },
        rounds);
    add_copies(bench, builder, full, output, 2 * n);
    const Bitsandbytes* b = bench.bitsandbytes.get();
    if (has(bench, builder, b ? b->dequantize_nf4 : nullptr, b ? b->dequantize_float32 : nullptr))
        builder.peer(
            peer::kBitsandbytes,
            [&, b](int i) {
                float* absmax = weight.absmax().at<float>(i);
                if (is_nested) {
                    absmax = statistics.as<float>();
                    b->dequantize_float32(const_cast<float*>(weight.nested_codebook()), weight.nested_codes().at<uint8_t>(i),
                                          weight.nested_absmax().at<float>(i), absmax, 256, static_cast<int>(blocks), bench.cuda);
                }
                b->dequantize_nf4(nullptr, weight.packed().at<uint8_t>(i), absmax, output.at(i), kBlocksize, static_cast<int>(n),
                                  bench.cuda);
            },
            rounds, is_nested ? "without adding the offset, which PyTorch does" : "");
    return builder.measure();
}

Row double_quantize(Bench& bench, const std::string& name, int64_t N, int64_t K) {
    Weight& weight = bench.weights->get(N, K);
    const int64_t blocks = N * K / kBlocksize;
    const int rounds = weight.four_bit_rounds();
    const Slab codes(rounds, blocks), nested(rounds, 4 * ((blocks + 255) / 256)), offset(rounds, 4), copy(rounds, 4 * blocks);
    Row row = conversion_row(name, "double_quantize", "statistics", "fp32", N, K);
    row.bytes = static_cast<double>(blocks) * (5 + 4.0 / 256);
    row.note = "two passes over the statistics: the mean comes first";
    RowBuilder builder(bench, std::move(row));
    builder.ours(
        [&](int i) {
            check(halfbyte_double_quantize(bench.stream, weight.absmax().at<float>(i), blocks, codes.at<uint8_t>(i),
                                           nested.at<float>(i), offset.at<float>(i)));
        },
        rounds);
    add_copies(bench, builder, weight.absmax(), copy, 4 * blocks / 16 * 16);
    return builder.measure();
}

}  // namespace

void add_conversion_4bit_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers) {
    for (const Layer& layer : layers) {
        const int64_t N = layer.N, K = layer.K;
        const int first = conversion_priority(layers, layer), later = std::max(first, 1);
        const auto add = [&](const char* operation, int priority, std::function<Row(Bench&, const std::string&)> run) {
            tasks.push_back({conversion_name(operation, layer), priority, std::move(run)});
        };
        add("dequantize_4bit nf4", first, [=](Bench& b, const std::string& name) { return dequantize_4bit(b, name, N, K, false); });
        add("dequantize_4bit nf4 nested", first,
            [=](Bench& b, const std::string& name) { return dequantize_4bit(b, name, N, K, true); });
        add("quantize_4bit nf4", first, [=](Bench& b, const std::string& name) { return quantize_4bit(b, name, N, K); });
        add("double_quantize", later, [=](Bench& b, const std::string& name) { return double_quantize(b, name, N, K); });
    }
}

}  // namespace halfbyte::benchmark
