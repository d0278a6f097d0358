// The meter against work of known length. The emulator has no graphs; here a graph is the sum of what was enqueued while it was
// captured, and its replay is a wait of that length. The host's clock only ever shows more than was waited.
#include <cuda_runtime_api.h>

#include <chrono>
#include <stdexcept>

#include "graph_meter.h"
#include "tests/harness.h"

using namespace halfbyte::benchmark;

namespace {

bool g_is_capturing = false;
double g_captured = 0;  // microseconds
int g_graphs = 0;       // that exist
int g_replays = 0;

void wait(double microseconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double, std::micro>(microseconds);
    while (std::chrono::steady_clock::now() < end) {
    }
}

void work(double microseconds) {
    if (g_is_capturing) g_captured += microseconds;
    else wait(microseconds);
}

}  // namespace

extern "C" {
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
    g_is_capturing = true;
    g_captured = 0;
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
    g_is_capturing = false;
    *graph = reinterpret_cast<cudaGraph_t>(new double(g_captured));
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
    *executable = reinterpret_cast<cudaGraphExec_t>(new double(*reinterpret_cast<double*>(graph)));
    return ++g_graphs, cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
    wait(*reinterpret_cast<double*>(executable));
    return ++g_replays, cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    delete reinterpret_cast<double*>(executable);
    return --g_graphs, cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete reinterpret_cast<double*>(graph), cudaSuccess; }
}

TEST(meter_finds_the_length_of_a_call) {
    const auto meter = graph_meter(nullptr);
    const auto times = meter->measure({{"short", [](int) { work(5); }, 3}, {"long", [](int) { work(20); }, 40}}, {0.02, 9});
    EXPECT_EQUAL(times.size(), 2);
    // The least of many: others use this machine too.
    EXPECT(times[0].least >= 4.99 && times[0].least < 15);
    EXPECT(times[1].least >= 19.99 && times[1].least < 60);
    EXPECT(times[0].samples >= 9 && times[0].samples == times[1].samples);
    EXPECT_EQUAL(g_graphs, 0);
}

TEST(meter_goes_through_all_sets_of_buffers) {
    std::vector<int> uses(7, 0);
    graph_meter(nullptr)->measure({{"candidate", [&](int round) { ++uses.at(static_cast<size_t>(round)), work(3); }, 7}},
                                  {0.001, 3});
    for (const int each : uses) EXPECT(each > 0 && each <= uses[0] && each >= uses[0] - 1);
}

TEST(meter_does_not_hold_a_long_call_for_each_set_of_buffers) {
    int captured = 0;
    graph_meter(nullptr)->measure({{"candidate", [&](int) { captured += g_is_capturing, work(2000); }, 10}}, {0.001, 3});
    EXPECT(captured >= 10 + 3 && captured < 20);  // a graph of all, to see how long a call is, and the one that is measured
}

TEST(meter_measures_what_no_graph_holds) {
    const int replays = g_replays;
    const auto times = graph_meter(nullptr)->measure({{"candidate", [](int) { work(10); }, 4, {}, true}}, {0.005, 5});
    EXPECT(times[0].least >= 9.99 && times[0].samples >= 5);
    EXPECT_EQUAL(g_replays, replays);
}

TEST(meter_goes_on_without_a_candidate_that_fails) {
    const auto fails_in_a_graph = [](int) {
        if (g_is_capturing) throw std::runtime_error("no graph");
    };
    const auto times =
        graph_meter(nullptr)->measure({{"fails", fails_in_a_graph, 1}, {"works", [](int) { work(5); }, 1}}, {0.001, 3});
    EXPECT(times[0].samples == 0 && times[0].failure == "no graph");
    EXPECT(times[1].samples >= 3);
    EXPECT(!g_is_capturing && g_graphs == 0);
}
