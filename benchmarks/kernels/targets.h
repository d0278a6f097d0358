// What the kernels must reach, and what physics allows.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "row.h"

namespace halfbyte::benchmark {

struct Target {
    const char* name;
    const char* peer;  // what the number compares with
    bool is_share;  // our time as a share of the peer's, which should be small; else how many times as fast, which should be large
    double must, aim;  // aim: where the kernel is as good as it should get
    double ceiling;    // better than this cannot be: the data was in the cache, the peer was hindered, or work was left out
    std::function<bool(const Row&)> applies;
};
const std::vector<Target>& targets();

enum class Verdict { kNotMeasured, kMissed, kMet, kAimed, kSuspicious };
const char* name(Verdict verdict);

// A target on a row that it applies to.
struct Finding {
    const Target* target;
    const Row* row;
    double value;
    Verdict verdict;
};

// All findings, target by target. A target without a row has one finding whose row is null.
std::vector<Finding> evaluate(const std::vector<Row>& rows);

}  // namespace halfbyte::benchmark
