// kernel_benchmark: how fast every operation of halfbyte.h is on this GPU, beside what else does the same. ../README.md
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>

#include "graph_meter.h"
#include "recorder.h"
#include "run.h"

namespace halfbyte::benchmark {
namespace {

constexpr int64_t kCaches = 4;  // so many times the L2 cache is what rotating buffers cover
constexpr int64_t kMostWeights = int64_t{24} << 30;
// A row takes less than two seconds; setting one up, a few. A kernel that waits for what never comes has no other end.
constexpr auto kLongestRow = std::chrono::seconds(25);
constexpr int kLost = 3;  // exit status: a row was the end of the device; another process goes on --after it

int benchmark(const Options& options) {
    const std::vector<Task> tasks = select(options, layers(), llama_3_8b_decoder_layer());
    if (tasks.empty()) {
        std::cerr << "kernel_benchmark: no row's name contains '" << options.filter << "'; --list --all prints them\n";
        return 2;
    }
    if (options.list) {
        for (const Task& task : tasks) std::cout << task.name << "\n";
        return 0;
    }
    cudaStream_t cuda = nullptr;
    check(cudaStreamCreateWithFlags(&cuda, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    const std::unique_ptr<Meter> meter = graph_meter(cuda);
    Recorder recorder(
        {options.text, options.json}, kLongestRow, [&](size_t rows) { return tasks[std::min(rows, tasks.size() - 1)].name; },
        [] { std::_Exit(kLost); });
    Results results;
    {
        Bench bench{.options = options, .meter = *meter, .machine = describe_machine(), .cuda = cuda};
        check(halfbyte_stream_wrap_cuda(0, cuda, &bench.stream));
        bench.footprint = kCaches * bench.machine.l2_bytes;
        bench.weights = std::make_unique<Weights>(bench.stream, cuda, bench.device, bench.footprint,
                                                  std::min(kMostWeights, bench.machine.memory_bytes / 4));
        bench.gemms = open_cublaslt(options.cublaslt, &bench.gemms_reason);
        bench.bitsandbytes = open_bitsandbytes(options.bitsandbytes, &bench.bitsandbytes_reason);
        results = run(bench, tasks, [&](const std::string& more, const Results& so_far) { recorder.add(more, so_far); });
        if (!results.lost_at.empty()) {
            recorder.finish(results);
            std::_Exit(kLost);  // nothing can be freed any more
        }
        check(halfbyte_stream_destroy(bench.stream));
    }
    check(cudaStreamDestroy(cuda), "cudaStreamDestroy");
    const bool is_written = recorder.finish(results);
    for (const Row& row : results.rows)
        if (!row.failure.empty()) return 1;
    return is_written ? 0 : 1;
}

}  // namespace
}  // namespace halfbyte::benchmark

int main(int count, char** values) {
    using namespace halfbyte::benchmark;
    const std::vector<std::string> arguments(values + 1, values + count);
    const Options options = parse_options(arguments);
    if (options.help) {
        std::cout << kUsage;
        return 0;
    }
    if (!options.error.empty()) {
        std::cerr << "kernel_benchmark: " << options.error << "\n";
        return 2;
    }
    try {
        return benchmark(options);
    } catch (const std::exception& error) {
        std::cerr << "kernel_benchmark: " << error.what() << "\n";
        return 1;
    }
}
