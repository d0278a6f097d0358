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

// Measures them. `progress` receives what the report grows by, and the results so far.
Results run(Bench& bench, const std::vector<Task>& tasks, const std::function<void(const std::string&, const Results&)>& progress);

}  // namespace halfbyte::benchmark
