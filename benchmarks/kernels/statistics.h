// What many measurements of one thing come to.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace halfbyte::benchmark {

struct Summary {
    double median = NAN, least = NAN;  // microseconds per call
    double spread = NAN;               // the middle half of the samples, as a share of the median
    int samples = 0;
    std::string failure = {};  // why there are no samples
};

// The value below which `share` of the sorted samples lie, between two of them linearly.
inline double quantile(const std::vector<double>& sorted, double share) {
    const double at = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<size_t>(at);
    const size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (sorted[above] - sorted[below]) * (at - static_cast<double>(below));
}

inline Summary summarize(std::vector<double> samples) {
    if (samples.empty()) return {};
    std::sort(samples.begin(), samples.end());
    const double median = quantile(samples, 0.5);
    return {median, samples.front(), (quantile(samples, 0.75) - quantile(samples, 0.25)) / median,
            static_cast<int>(samples.size())};
}

}  // namespace halfbyte::benchmark
