// Rows of a chain: all linear layers of several decoder layers of Llama-3-8B, one after another in one graph, for one token, as an
// engine runs them; and a square layer after a square layer. Each layer's input is what the layer before wrote. There are so many
// that their weights outgrow the cache.
//
// There, weights that share their input go in one call (q, k, v; gate, up), and so they do in the peer: one product of the
// concatenated bfloat16 weight. Attention, norms and activation functions are left out on both sides. The time is that of one
// decoder layer.
#include <algorithm>
#include <cmath>
#include <deque>

#include "products.h"

namespace halfbyte::benchmark {
namespace {

// One call: its weights side by side.
struct Step {
    std::vector<halfbyte_weight_4bit> weights;
    std::vector<halfbyte_output> outputs;
    const void* full;  // all weights as one bfloat16 matrix
    int64_t N, K;      // of that matrix
    const void* x;
    void* y;
};

// All memory of the chain; the steps point into it.
struct Chain {
    std::deque<Buffer> memory;
    std::vector<Step> steps;
    int links = 0;                // how often the shapes come again
    double bytes = 0, flops = 0;  // of one link
    Buffer workspace;
    int64_t workspace_bytes = 0;

    void* allocate(int64_t bytes_wanted) { return memory.emplace_back(bytes_wanted).as<>(); }
};

halfbyte_weight_4bit quantized(Bench& bench, Chain& chain, const void* full, int64_t N, int64_t K, bool is_nested,
                               const void* codebook) {
    const int64_t n = N * K, blocks = n / kBlocksize;
    auto* packed = static_cast<uint8_t*>(chain.allocate(n / 2));
    auto* absmax = static_cast<float*>(chain.allocate(4 * blocks));
    check(halfbyte_quantize_4bit(bench.stream, full, HALFBYTE_DTYPE_BFLOAT16, n, kBlocksize, HALFBYTE_QUANT_TYPE_NF4, nullptr,
                                 packed, absmax));
    halfbyte_weight_4bit weight{};
    weight.packed = packed;
    weight.absmax = absmax;
    weight.N = N;
    weight.K = K;
    weight.blocksize = kBlocksize;
    weight.quant_type = HALFBYTE_QUANT_TYPE_NF4;
    weight.device = bench.device;
    if (is_nested) {
        auto* codes = static_cast<uint8_t*>(chain.allocate(blocks));
        auto* nested = static_cast<float*>(chain.allocate(4 * ((blocks + 255) / 256)));
        auto* offset = static_cast<float*>(chain.allocate(4));
        check(halfbyte_double_quantize(bench.stream, absmax, blocks, codes, nested, offset));
        weight.absmax = codes;
        weight.nested_absmax = nested;
        weight.nested_codebook = codebook;
        weight.nested_offset = offset;
        weight.nested_blocksize = 256;
    }
    return weight;
}

Chain build(Bench& bench, const std::vector<ChainStep>& shapes, bool is_nested) {
    Chain chain;
    float table[256];
    check(halfbyte_codebook_values(HALFBYTE_CODEBOOK_DYNAMIC_SIGNED, table, 256));
    void* codebook = chain.allocate(sizeof table);
    check(halfbyte_copy_from_host(bench.stream, codebook, table, sizeof table));
    for (const ChainStep& shape : shapes)
        for (const int64_t N : shape.N) {
            chain.bytes += four_bit_bytes(N, shape.K, is_nested) + 2 * static_cast<double>(N);
            chain.flops += 2 * static_cast<double>(N) * static_cast<double>(shape.K);
        }
    for (const ChainStep& shape : shapes) chain.bytes += 2 * static_cast<double>(shape.K);  // x, read once by all of its weights
    chain.links = std::max(4, static_cast<int>(std::ceil(static_cast<double>(bench.footprint) / chain.bytes)));
    const int64_t width = shapes.front().K;
    void* x = chain.allocate(2 * width);
    check(fill_normal(x, Element::kBFloat16, width, 1, 1, width, 0, bench.cuda), "fill_normal");
    for (int link = 0; link < chain.links; ++link)
        for (const ChainStep& shape : shapes) {
            Step step{};
            step.K = shape.K;
            for (const int64_t N : shape.N) step.N += N;
            auto* full = static_cast<uint16_t*>(chain.allocate(2 * step.N * step.K));
            auto* y = static_cast<uint16_t*>(chain.allocate(2 * step.N));
            check(fill_normal(full, Element::kBFloat16, step.N * step.K, chain.steps.size() + 1, kDeviation, step.K, 0, bench.cuda),
                  "fill_normal");
            int64_t row = 0;
            for (const int64_t N : shape.N) {
                step.weights.push_back(quantized(bench, chain, full + row * step.K, N, step.K, is_nested, codebook));
                step.outputs.push_back({y + row, N, nullptr, 0});
                row += N;
            }
            step.full = full;
            step.x = x;
            step.y = y;
            x = y;  // its first rows: q, gate
            int64_t bytes = 0;
            check(halfbyte_matmul_4bit_workspace(bench.stream, static_cast<int64_t>(step.weights.size()), step.weights.data(),
                                                 HALFBYTE_DTYPE_BFLOAT16, 1, &bytes));
            chain.workspace_bytes = std::max(chain.workspace_bytes, bytes);
            chain.steps.push_back(std::move(step));
        }
    chain.workspace = Buffer(chain.workspace_bytes);
    check(halfbyte_stream_synchronize(bench.stream));
    return chain;
}

// A round is one link, so that a graph of several rounds is the chain.
template <class Run>
void for_each_step(const Chain& chain, int round, Run run) {
    const auto links = static_cast<size_t>(chain.links), each = chain.steps.size() / links,
               first = static_cast<size_t>(round) % links * each;
    for (size_t i = first; i < first + each; ++i) run(chain.steps[i]);
}

Row chain_row(Bench& bench, const std::string& name, const std::vector<ChainStep>& shapes, bool is_nested, const char* note) {
    const Chain chain = build(bench, shapes, is_nested);
    const bool is_square = shapes.size() == 1;
    Row row = product_row(name, "chain", is_nested ? "nf4 nested" : "nf4", 1, is_square ? shapes[0].N[0] : 0,
                          is_square ? shapes[0].K : 0);
    row.bytes = chain.bytes;
    row.flops = chain.flops;
    row.note = note;
    RowBuilder builder(bench, std::move(row));
    builder.ours(
        [&](int round) {
            for_each_step(chain, round, [&](const Step& step) {
                check(halfbyte_matmul_4bit(bench.stream, static_cast<int64_t>(step.weights.size()), step.weights.data(), step.x,
                                           HALFBYTE_DTYPE_BFLOAT16, 1, step.K, step.outputs.data(), chain.workspace.as<>(),
                                           chain.workspace_bytes));
            });
        },
        chain.links);
    std::string reason;
    for (const Step& step : chain.steps)
        if (const Bench::TunedGemm& product = bench.tuned(GemmKind::kBFloat16, 1, step.N, step.K); !product.gemm)
            reason = product.reason;
    if (reason.empty())
        builder.peer(
            peer::kBFloat16,
            [&](int round) {
                for_each_step(chain, round, [&](const Step& step) {
                    const Bench::TunedGemm& product = bench.tuned(GemmKind::kBFloat16, 1, step.N, step.K);
                    product.gemm->enqueue(product.algorithm, step.full, step.x, step.y, bench.cuda);
                });
            },
            chain.links);
    else builder.absent(peer::kBFloat16, reason);
    return builder.measure();
}

}  // namespace

void add_chain_tasks(std::vector<Task>& tasks, const std::vector<ChainStep>& steps) {
    const auto add = [&](const std::string& name, const std::vector<ChainStep>& shapes, bool is_nested, const char* note) {
        tasks.push_back({name, 0, [=](Bench& b, const std::string& row) { return chain_row(b, row, shapes, is_nested, note); }});
    };
    static constexpr char kDecoder[] = "per decoder layer: q+k+v, o, gate+up, down", kSquare[] = "per layer";
    add("chain nf4 M=1", steps, false, kDecoder);
    add("chain nf4 nested M=1", steps, true, kDecoder);
    const int64_t width = steps.front().K;
    add(product_name("chain nf4", width, width, 1), {{{width}, width}}, false, kSquare);
}

}  // namespace halfbyte::benchmark
