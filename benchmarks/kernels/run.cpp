#include "run.h"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace halfbyte::benchmark {
namespace {

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
    return text;
}

}  // namespace

std::vector<Task> select(const Options& options, const std::vector<Layer>& layers, const std::vector<ChainStep>& chain) {
    std::vector<Task> tasks;
    add_choice_tasks(tasks, layers);  // the first after the targets
    add_conversion_4bit_tasks(tasks, layers);
    add_conversion_8bit_tasks(tasks, layers);
    add_product_4bit_tasks(tasks, layers);
    add_accuracy_tasks(tasks, layers);
    add_chain_tasks(tasks, chain);
    add_product_int8_tasks(tasks, layers);
    const int last = options.quick ? 0 : options.all ? 3 : 2;
    std::erase_if(tasks, [&](const Task& task) {
        // Whoever names rows gets them whatever their importance.
        return options.filter.empty() ? task.priority > last : task.name.find(options.filter) == std::string::npos;
    });
    std::stable_sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.priority < b.priority; });
    const auto last_done = std::find_if(tasks.begin(), tasks.end(), [&](const Task& task) { return task.name == options.after; });
    if (last_done != tasks.end()) tasks.erase(tasks.begin(), last_done + 1);
    return tasks;
}

Results run(Bench& bench, const std::vector<Task>& tasks, const std::function<void(const std::string&, const Results&)>& progress) {
    const auto begin = std::chrono::steady_clock::now();
    const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
    Results results;
    const auto print = [&](const std::string& more) {
        results.seconds = seconds();
        progress(more, results);
    };
    results.machine = bench.machine;
    results.date = utc_now();
    results.commit = bench.options.commit;
    results.arguments = bench.options.line;
    results.footprint = bench.footprint;
    if (bench.gemms) results.peers.push_back("cuBLASLt " + bench.gemms->version());
    else results.absent.push_back({"cuBLASLt", {}, bench.gemms_reason, {}});
    if (bench.bitsandbytes) results.peers.push_back("bitsandbytes, " + bench.options.bitsandbytes);
    else results.absent.push_back({"bitsandbytes", {}, bench.bitsandbytes_reason, {}});
    results.limits = bench.limits = measure_limits(bench);
    print(text_heading(results));
    print(text_columns());
    for (const Task& task : tasks) {
        if (seconds() > bench.options.seconds) {
            results.skipped.push_back(task.name);
            continue;
        }
        Row row;
        try {
            row = task.run(bench, task.name);
        } catch (const std::exception& error) {
            row.name = task.name;
            row.failure = error.what();
            bench.weights->clear();  // it may have been the memory
        }
        results.rows.push_back(std::move(row));
        print(text_row(results.rows.back()));
        // An error of the device stays; nothing more can be measured.
        if (const cudaError_t status = cudaDeviceSynchronize(); status != cudaSuccess) {
            results.lost_at = task.name;
            print(text_lost(task.name, cudaGetErrorString(status)));
            break;
        }
    }
    results.seconds = seconds();
    progress(text_targets(results) + text_choices(results), results);
    return results;
}

}  // namespace halfbyte::benchmark
