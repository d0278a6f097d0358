// Every row of the benchmark on the emulated device: small layers, everything once. What is timed here means nothing; that each
// row's calls are valid, touch no memory but their own and find all their peers is what counts.
//
// The report goes to the files that HALFBYTE_BENCHMARK_JSON and HALFBYTE_BENCHMARK_TEXT name, if they do.
#include <chrono>
#include <cstdlib>
#include <fstream>

#include "fake_peers.h"
#include "run.h"
#include "tests/harness.h"

using namespace halfbyte::benchmark;

namespace {

class OnceMeter final : public Meter {
   public:
    std::vector<Summary> measure(const std::vector<Candidate>& candidates, const Effort&) override {
        std::vector<Summary> summaries;
        for (const Candidate& candidate : candidates) {
            const auto begin = std::chrono::steady_clock::now();
            for (int round = 0; round < std::min(candidate.rounds, 2); ++round) candidate.enqueue(round);
            summaries.push_back(
                summarize({std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count()}));
        }
        return summaries;
    }
};

const std::vector<Layer> kLayers = {{128, 192, "small", Layer::kTarget}, {64, 64, "smaller", Layer::kOther}};
const std::vector<ChainStep> kChain = {{{128, 64, 64}, 128}, {{128}, 128}, {{192, 192}, 128}, {{128}, 192}};

Results smoke(bool has_peers) {
    test::run_in_order({halfbyte::emulation::Order::kForward, 0});
    Options options;
    options.seconds = 1e9;
    OnceMeter meter;
    Bench bench{.options = options, .meter = meter, .machine = describe_machine()};
    check(cudaStreamCreateWithFlags(&bench.cuda, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    check(halfbyte_stream_wrap_cuda(0, bench.cuda, &bench.stream));
    bench.footprint = 1 << 12;
    bench.square = 64;
    bench.weights = std::make_unique<Weights>(bench.stream, bench.cuda, bench.device, bench.footprint, int64_t{1} << 20);
    if (has_peers) {
        bench.gemms = std::make_unique<fake::HostGemms>();
        bench.bitsandbytes = fake::bitsandbytes();
    } else {
        bench.gemms = nullptr;
        bench.gemms_reason = bench.bitsandbytes_reason = "there is none";
    }
    std::vector<Task> tasks = select(options, kLayers, kChain);
    // The emulator's time goes with M; the larger products differ in nothing else.
    std::erase_if(tasks, [](const Task& task) {
        const size_t at = task.name.find("M=");
        const int M = at == std::string::npos ? 1 : std::atoi(task.name.c_str() + at + 2);
        const auto is = [&](const char* what) { return task.name.find(what) != std::string::npos; };
        return M > (is("choice") ? 1024 : is("transposed") ? 256 : 16);
    });
    std::string text;
    Results results = run(bench, tasks, [&](const std::string& more, const Results&) { text += more; });
    bench.weights.reset();
    check(halfbyte_stream_destroy(bench.stream));
    check(cudaStreamDestroy(bench.cuda), "cudaStreamDestroy");
    if (const char* path = std::getenv("HALFBYTE_BENCHMARK_TEXT"); path != nullptr && has_peers) std::ofstream(path) << text;
    if (const char* path = std::getenv("HALFBYTE_BENCHMARK_JSON"); path != nullptr && has_peers)
        std::ofstream(path) << json(results);
    return results;
}

}  // namespace

TEST(every_row_runs) {
    fake::calls().clear();
    const Results results = smoke(true);
    EXPECT(results.rows.size() > 50);
    EXPECT(results.limits.read_gigabytes_per_second > 0 && results.limits.bf16_teraflops > 0);
    std::map<std::string, int> operations;
    for (const Row& row : results.rows) {
        ++operations[row.operation];
        if (!row.failure.empty()) test::fail(__FILE__, __LINE__, row.name + ": " + row.failure);
        if (row.operation == "accuracy") {
            EXPECT(row.our_error > 0 && row.our_error < 0.01);
            EXPECT(row.our_error <= row.peer_error);
            continue;
        }
        EXPECT(row.ours.median > 0 && row.bytes > 0 && row.share_of_limit() > 0);
        for (const Peer& peer : row.peers)
            if (peer.time.samples == 0) test::fail(__FILE__, __LINE__, row.name + " lacks " + peer.name + ": " + peer.reason);
    }
    for (const char* operation : {"quantize_4bit", "dequantize_4bit", "quantize_blockwise", "dequantize_blockwise",
                                  "double_quantize", "quantize_int8_rows", "dequantize_int8", "matmul_4bit",
                                  "matmul_4bit_transposed", "matmul_int8", "matmul_int8_transposed", "chain", "choice", "accuracy"})
        if (operations[operation] == 0) test::fail(__FILE__, __LINE__, std::string("no row of ") + operation);
    EXPECT_EQUAL(fake::calls().size(), 8);  // every function that is loaded is used
}

TEST(absent_peers_are_reported) {
    const Results results = smoke(false);
    EXPECT_EQUAL(results.absent.size(), 2);
    EXPECT(std::isnan(results.limits.bf16_teraflops));
    for (const Row& row : results.rows) {
        if (!row.failure.empty()) test::fail(__FILE__, __LINE__, row.name + ": " + row.failure);
        EXPECT(row.find(peer::kBFloat16) == nullptr && row.find(peer::kBitsandbytes) == nullptr);
        for (const Peer& peer : row.peers) EXPECT(peer.time.samples > 0 || !peer.reason.empty());
    }
}

TEST(time_runs_out_before_the_last_row) {
    Options options;
    options.seconds = 1e-9;
    OnceMeter meter;
    Bench bench{.options = options, .meter = meter, .machine = describe_machine()};
    check(cudaStreamCreateWithFlags(&bench.cuda, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    bench.footprint = 1 << 12;
    const std::vector<Task> tasks = {{"never", 0, [](Bench&, const std::string&) -> Row { throw std::runtime_error("it ran"); }}};
    const Results results = run(bench, tasks, [](const std::string&, const Results&) {});
    EXPECT(results.rows.empty());
    EXPECT_EQUAL(results.skipped.size(), 1);
    check(cudaStreamDestroy(bench.cuda), "cudaStreamDestroy");
}
