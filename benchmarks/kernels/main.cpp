// kernel_benchmark: how fast every operation of halfbyte.h is on this GPU, beside what else does the same. ../README.md
#include <chrono>
#include <fstream>
#include <iostream>

#include "graph_meter.h"
#include "run.h"

namespace halfbyte::benchmark {
namespace {

constexpr int64_t kCaches = 4;  // so many times the L2 cache is what rotating buffers cover
constexpr auto kBetweenWrites = std::chrono::seconds(5);
constexpr int64_t kMostWeights = int64_t{24} << 30;

bool write(const std::string& path, const std::string& text) {
    if (path.empty()) return true;
    std::ofstream file(path, std::ios::binary);
    file << text;
    if (file.flush()) return true;
    std::cerr << "kernel_benchmark: could not write " << path << "\n";
    return false;
}

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
    Results results;
    std::string text;
    // Written while it grows: whoever ends a run that hangs keeps what was measured.
    const auto write_all = [&](const Results& so_far) {
        const bool is_text_written = write(options.text, text), is_json_written = write(options.json, json(so_far));
        return is_text_written && is_json_written;
    };
    auto last_write = std::chrono::steady_clock::now();
    {
        Bench bench{.options = options, .meter = *meter, .machine = describe_machine(), .cuda = cuda};
        check(halfbyte_stream_wrap_cuda(0, cuda, &bench.stream));
        bench.footprint = kCaches * bench.machine.l2_bytes;
        bench.weights = std::make_unique<Weights>(bench.stream, cuda, bench.device, bench.footprint,
                                                  std::min(kMostWeights, bench.machine.memory_bytes / 4));
        bench.gemms = open_cublaslt(options.cublaslt, &bench.gemms_reason);
        bench.bitsandbytes = open_bitsandbytes(options.bitsandbytes, &bench.bitsandbytes_reason);
        results = run(bench, tasks, [&](const std::string& more, const Results& so_far) {
            text += more;
            std::cout << more << std::flush;
            if (std::chrono::steady_clock::now() - last_write < kBetweenWrites) return;
            write_all(so_far);
            last_write = std::chrono::steady_clock::now();
        });
        check(halfbyte_stream_destroy(bench.stream));
    }
    check(cudaStreamDestroy(cuda), "cudaStreamDestroy");
    const bool is_written = write_all(results);
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
