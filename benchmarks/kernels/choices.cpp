// Rows of choices: one product by each kernel, or cut, that could do it, beside what the library takes by itself. From these the
// limits in matmul_4bit.cu, matmul_wgmma.h and matmul_4bit_stream.cu are set.
#include <utility>

#include "cuda/kernel_choice.h"
#include "products.h"

namespace halfbyte::benchmark {
namespace {

// One way to do it: what is asked for, and of which operation (cuda/kernel_choice.h).
struct Way {
    const char* name;
    std::vector<std::pair<const char*, const char*>> asks;
};

// While it lives, the library takes this way.
class Asking {
   public:
    explicit Asking(const Way& way) : way_(way) {
        for (const auto& [operation, kernel] : way.asks) cuda::ask_for_kernel(operation, kernel);
    }
    ~Asking() {
        for (const auto& [operation, kernel] : way_.asks) cuda::ask_for_kernel(operation, "");
    }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;

   private:
    const Way& way_;
};

struct Question {
    const char* name;
    std::vector<int64_t> sizes;  // of M
    std::vector<Way> ways;
    bool has_small_layer;  // asked of 1024x4096 too
};

const std::vector<Question>& questions() {
    static const std::vector<Question> all = {
        {"chunks or wgmma",
         {1024, 2048, 4096},
         {{"wgmma", {{"matmul_4bit", "wgmma"}}}, {"chunks", {{"matmul_4bit", "chunks"}}}},
         false},
        {"stream or wgmma",
         {17, 24, 32, 48, 64},
         {{"stream", {{"matmul_4bit", "stream"}}}, {"wgmma", {{"matmul_4bit", "wgmma"}}}},
         false},
        {"rows of a wgmma tile",
         {65, 96, 128, 192, 256, 384, 512},
         {{"64", {{"matmul_4bit", "wgmma"}, {"wgmma_tile", "64"}}},
          {"128", {{"matmul_4bit", "wgmma"}, {"wgmma_tile", "128"}}},
          {"256", {{"matmul_4bit", "wgmma"}, {"wgmma_tile", "256"}}}},
         false},
        {"sums of a split wgmma",
         {64, 128, 256},
         {{"cluster", {{"matmul_4bit", "wgmma"}, {"wgmma_sums", "cluster"}}},
          {"partials", {{"matmul_4bit", "wgmma"}, {"wgmma_sums", "partials"}}}},
         true},
        {"splits of stream",
         {1, 4, 8, 16, 32, 64},
         {{"1", {{"matmul_4bit", "stream"}, {"stream_splits", "1"}}},
          {"2", {{"matmul_4bit", "stream"}, {"stream_splits", "2"}}},
          {"4", {{"matmul_4bit", "stream"}, {"stream_splits", "4"}}},
          {"8", {{"matmul_4bit", "stream"}, {"stream_splits", "8"}}}},
         true},
    };
    return all;
}

Row choice(Bench& bench, const std::string& name, const Question& question, int64_t M, int64_t N, int64_t K) {
    Weight& weight = bench.weights->get(N, K);
    const int rounds = weight.four_bit_rounds();
    const Buffer x = activations(bench, Element::kBFloat16, M, K, false), y(2 * M * N);
    Row row = product_row(name, "choice", "nf4", M, N, K);
    row.note = question.name;
    row.bytes = four_bit_bytes(N, K, false) + 2 * static_cast<double>(M) * static_cast<double>(N + K);
    const halfbyte_output output{y.as<>(), N, nullptr, 0};
    std::vector<Way> ways = question.ways;
    ways.insert(ways.begin(), Way{"", {}});  // the library's own
    int64_t workspace_bytes = 0;
    for (const Way& way : ways) {
        const Asking asking(way);
        const halfbyte_weight_4bit w = weight.four_bit(0, false);
        int64_t bytes = 0;
        check(halfbyte_matmul_4bit_workspace(bench.stream, 1, &w, HALFBYTE_DTYPE_BFLOAT16, M, &bytes));
        workspace_bytes = std::max(workspace_bytes, bytes);
    }
    const Buffer workspace(workspace_bytes);
    RowBuilder builder(bench, std::move(row));
    for (const Way& way : ways) {
        const auto product = [&](int i) {
            const Asking asking(way);
            const halfbyte_weight_4bit w = weight.four_bit(i, false);
            check(halfbyte_matmul_4bit(bench.stream, 1, &w, x.as<>(), HALFBYTE_DTYPE_BFLOAT16, M, K, &output, workspace.as<>(),
                                       workspace_bytes));
        };
        if (way.asks.empty()) builder.ours(product, rounds);
        else builder.peer(way.name, product, rounds);
    }
    return builder.measure();
}

}  // namespace

void add_choice_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers) {
    for (const Question& question : questions())
        for (const Layer& layer : layers)
            for (const int64_t M : question.sizes) {
                const bool is_small = layer.N == 1024 && layer.K == 4096;
                if (layer.kind != Layer::kTarget && !(is_small && question.has_small_layer)) continue;
                const int64_t N = layer.N, K = layer.K;
                tasks.push_back({product_name((std::string("choice, ") + question.name + ",").c_str(), N, K, M), 1,
                                 [=, &question](Bench& b, const std::string& name) { return choice(b, name, question, M, N, K); }});
            }
}

}  // namespace halfbyte::benchmark
