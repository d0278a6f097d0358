// The run: which rows, in which order, until when.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench.h"
#include "report.h"

namespace halfbyte::benchmark {

// The rows that the options ask for, the important ones first.
std::vector<Task> select(const Options& options, const std::vector<Layer>& layers, const std::vector<ChainStep>& chain);

// Measures them. `print` receives the report as it grows.
Results run(Bench& bench, const std::vector<Task>& tasks, const std::function<void(const std::string&)>& print);

}  // namespace halfbyte::benchmark
