// The interface between what is measured and how. The benchmark measures with CUDA graphs (graph_meter.cpp); the tests of its rows,
// which have no GPU, only run everything once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "statistics.h"

namespace halfbyte::benchmark {

// One way of doing a row's work.
struct Candidate {
    std::string name;                        // "halfbyte", or the peer's
    std::function<void(int round)> enqueue;  // does it once on the benchmark's stream, with the buffers of that round
    int rounds = 1;                          // how many sets of buffers there are; together several times the L2 cache
    std::string note = {};                   // what a reader must know about it
    // The default stream is all it knows, so that no graph can hold it; its time then includes gaps between launches.
    bool on_default_stream = false;
};

// How long to measure.
struct Effort {
    double seconds = 0.15;  // for all candidates together
    int least_samples = 15;
};

class Meter {
   public:
    virtual ~Meter() = default;
    // Microseconds per call of each candidate, in turns, so that a change of clocks meets all of them.
    virtual std::vector<Summary> measure(const std::vector<Candidate>& candidates, const Effort& effort) = 0;
};

}  // namespace halfbyte::benchmark
