// Rows of what changes format and multiplies nothing: 4-bit, 8-bit by blocks, double quantization, 8-bit by rows.
//
// Bytes are what must move: every input read once, every output written once. The peer "copy" copies the tensor of full width,
// float32 for 8-bit blocks and bfloat16 for the rest: the unit in which people know what a pass over a tensor costs.
#include <string>

#include "bench.h"
#include "peers/streams.h"

namespace halfbyte::benchmark {
namespace {

constexpr float kThreshold = 6;

Row row_of(const std::string& name, const char* operation, const char* format, const char* dtype, int64_t N, int64_t K) {
    Row row;
    row.name = name;
    row.operation = operation;
    row.format = format;
    row.dtype = dtype;
    row.N = N;
    row.K = K;
    return row;
}

// Both ways to copy `from` to `to`.
void add_copies(Bench& bench, RowBuilder& builder, const Slab& from, const Slab& to, int64_t bytes) {
    builder.peer(
        peer::kCopy, [&, bytes](int i) { check(copy_stream(to.at(i), from.at(i), bytes, bench.cuda), "copy_stream"); },
        from.count(), "kernel");
    builder.peer(
        peer::kCopy,
        [&, bytes](int i) {
            check(cudaMemcpyAsync(to.at(i), from.at(i), static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, bench.cuda),
                  "cudaMemcpyAsync");
        },
        from.count(), "cudaMemcpyAsync");
}

// bitsandbytes' candidate if the library is there and has the functions.
template <class... Functions>
bool has(const Bench& bench, RowBuilder& builder, Functions... functions) {
    if (!bench.bitsandbytes) return builder.absent(peer::kBitsandbytes, bench.bitsandbytes_reason), false;
    if ((... && (functions != nullptr))) return true;
    return builder.absent(peer::kBitsandbytes, "this build lacks the function"), false;
}

Row quantize_4bit(Bench& bench, const std::string& name, int64_t N, int64_t K) {
    Weight& weight = bench.weights->get(N, K);
    const int64_t n = N * K;
    const Slab &from = weight.bfloat16(), packed(from.count(), n / 2), absmax(from.count(), n / kBlocksize * 4),
               copy(from.count(), 2 * n);
    Row row = row_of(name, "quantize_4bit", "nf4", "bf16", N, K);
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
    Row row = row_of(name, "dequantize_4bit", is_nested ? "nf4 nested" : "nf4", "bf16", N, K);
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

Row blockwise(Bench& bench, const std::string& name, int64_t N, int64_t K, bool is_quantizing) {
    const int64_t n = N * K, blocksize = 256;
    const int rounds = bench.weights->get(N, K).rounds(4 * n);
    const Slab from(rounds, 4 * n), to(rounds, 4 * n), codes(rounds, n), absmax(rounds, 4 * (n / blocksize));
    for (int i = 0; i < rounds; ++i) {
        check(fill_normal(from.at(i), Element::kFloat32, n, static_cast<uint64_t>(i), kDeviation, K, 0, bench.cuda), "fill_normal");
        check(halfbyte_quantize_blockwise(bench.stream, from.at(i), HALFBYTE_DTYPE_FLOAT32, n, blocksize, nullptr,
                                          codes.at<uint8_t>(i), absmax.at<float>(i)));
    }
    Row row = row_of(name, is_quantizing ? "quantize_blockwise" : "dequantize_blockwise", "8-bit blocks of 256", "fp32", N, K);
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

Row double_quantize(Bench& bench, const std::string& name, int64_t N, int64_t K) {
    Weight& weight = bench.weights->get(N, K);
    const int64_t blocks = N * K / kBlocksize;
    const int rounds = weight.four_bit_rounds();
    const Slab codes(rounds, blocks), nested(rounds, 4 * ((blocks + 255) / 256)), offset(rounds, 4), copy(rounds, 4 * blocks);
    Row row = row_of(name, "double_quantize", "statistics", "fp32", N, K);
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
    Row row = row_of(name, "quantize_int8_rows", threshold > 0 ? "int8 rows, threshold 6" : "int8 rows", "bf16", rows, K);
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
    Row row = row_of(name, "dequantize_int8", "int8 rows", "bf16", N, K);
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

void add_conversion_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers) {
    bool is_first = true;
    for (const Layer& layer : layers) {
        const int64_t N = layer.N, K = layer.K;
        const std::string shape = " " + std::to_string(N) + "x" + std::to_string(K);
        // The first shape is the one of the targets; of the others a square one comes soon.
        const int priority = layer.kind == Layer::kHead ? 3 : is_first ? 0 : N == K ? 1 : 2, later = std::max(priority, 1);
        is_first = false;
        const auto add = [&](const std::string& name, int when, std::function<Row(Bench&, const std::string&)> run) {
            tasks.push_back({name + shape, when, std::move(run)});
        };
        add("dequantize_4bit nf4", priority,
            [=](Bench& b, const std::string& name) { return dequantize_4bit(b, name, N, K, false); });
        add("dequantize_4bit nf4 nested", priority,
            [=](Bench& b, const std::string& name) { return dequantize_4bit(b, name, N, K, true); });
        add("quantize_4bit nf4", priority, [=](Bench& b, const std::string& name) { return quantize_4bit(b, name, N, K); });
        add("quantize_int8_rows", priority,
            [=](Bench& b, const std::string& name) { return quantize_int8_rows(b, name, N, K, 0); });
        add("quantize_blockwise", priority, [=](Bench& b, const std::string& name) { return blockwise(b, name, N, K, true); });
        add("dequantize_blockwise", priority, [=](Bench& b, const std::string& name) { return blockwise(b, name, N, K, false); });
        add("quantize_int8_rows threshold=6", later,
            [=](Bench& b, const std::string& name) { return quantize_int8_rows(b, name, N, K, kThreshold); });
        add("dequantize_int8", later, [=](Bench& b, const std::string& name) { return dequantize_int8(b, name, N, K); });
        add("double_quantize", later, [=](Bench& b, const std::string& name) { return double_quantize(b, name, N, K); });
    }
}

}  // namespace halfbyte::benchmark
