// A candidate becomes a graph of many calls, so that neither the host's launches nor the graph's own start weigh in its time. The
// calls go through its sets of buffers in turns, so that each finds its data in memory and not in the cache. Candidates are
// replayed in turns, many replays are enqueued before the host waits, and each is timed by an event before and one after it.
#include "graph_meter.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>
#include <vector>

#include "device.h"

namespace halfbyte::benchmark {
namespace {

constexpr double kLeastGraph = 500;  // microseconds; a graph's start takes a few
constexpr double kMostGraph = 4000;  // beyond it, a graph need not hold a call for each set of buffers
constexpr int kMostSamples = 200;
constexpr int kTurnsAtOnce = 8;  // enqueued before the host waits

class Event {
   public:
    Event() { check(cudaEventCreate(&event_), "cudaEventCreate"); }
    ~Event() {
        if (event_ != nullptr) cudaEventDestroy(event_);
    }
    Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
    Event& operator=(Event&&) = delete;
    void record(cudaStream_t stream) const { check(cudaEventRecord(event_, stream), "cudaEventRecord"); }
    double microseconds_since(const Event& begin) const {
        float milliseconds = 0;
        check(cudaEventElapsedTime(&milliseconds, begin.event_, event_), "cudaEventElapsedTime");
        return 1e3 * double{milliseconds};
    }

   private:
    cudaEvent_t event_ = nullptr;
};

// A candidate, ready to be replayed.
class Replay {
   public:
    Replay(const Candidate& candidate, cudaStream_t stream)
        : candidate_(candidate), stream_(candidate.on_default_stream ? cudaStreamLegacy : stream) {
        candidate.enqueue(0);  // loads its kernels
        wait();
        calls_ = candidate.rounds;
        capture();
        replay();
        wait();
        const double once = timed() / calls_;
        calls_ = calls_for(once);
        capture();
        replay();
        wait();
        microseconds_ = once * calls_;
    }
    ~Replay() {
        if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
    }
    Replay(const Replay&) = delete;
    Replay& operator=(const Replay&) = delete;

    // Of one replay, about.
    double microseconds() const { return microseconds_; }
    int calls() const { return calls_; }
    bool is_graph() const { return !candidate_.on_default_stream; }

    void replay() {
        if (is_graph()) return check(cudaGraphLaunch(graph_, stream_), "cudaGraphLaunch");
        for (int i = 0; i < calls_; ++i) candidate_.enqueue(i % candidate_.rounds);
    }

    // Waits before and after: for what cannot be enqueued among the others.
    double timed() {
        const Event begin, end;
        if (is_graph()) replay();  // the device is busy when `begin` comes, so that the host's part of the launch is over by then
        begin.record(stream_);
        replay();
        end.record(stream_);
        wait();
        return end.microseconds_since(begin);
    }

   private:
    int calls_for(double once) const {
        const int rounds = candidate_.rounds;
        if (once * rounds > kMostGraph)
            return std::clamp(static_cast<int>(std::ceil(kMostGraph / once)), std::min(3, rounds), rounds);
        return rounds * static_cast<int>(std::ceil(kLeastGraph / std::max(once * rounds, 1.0)));
    }

    void capture() {
        if (!is_graph()) return;
        if (graph_ != nullptr) check(cudaGraphExecDestroy(std::exchange(graph_, nullptr)), "cudaGraphExecDestroy");
        check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
        cudaGraph_t graph = nullptr;
        std::exception_ptr error;
        try {
            for (int i = 0; i < calls_; ++i) candidate_.enqueue(i % candidate_.rounds);
        } catch (...) {
            error = std::current_exception();
        }
        const cudaError_t status = cudaStreamEndCapture(stream_, &graph);
        if (error) {
            if (graph != nullptr) cudaGraphDestroy(graph);
            std::rethrow_exception(error);
        }
        check(status, "cudaStreamEndCapture");
        const cudaError_t instantiated = cudaGraphInstantiateWithFlags(&graph_, graph, 0);
        cudaGraphDestroy(graph);
        check(instantiated, "cudaGraphInstantiateWithFlags");
    }

    void wait() {
        check(cudaStreamSynchronize(stream_), candidate_.name.c_str());
        check(cudaGetLastError(), candidate_.name.c_str());
    }

    const Candidate& candidate_;
    cudaStream_t stream_;
    cudaGraphExec_t graph_ = nullptr;
    int calls_ = 0;
    double microseconds_ = 0;
};

class GraphMeter final : public Meter {
   public:
    explicit GraphMeter(cudaStream_t stream) : stream_(stream) {}

    std::vector<Summary> measure(const std::vector<Candidate>& candidates, const Effort& effort) override {
        std::vector<Summary> summaries(candidates.size());
        std::vector<std::unique_ptr<Replay>> replays(candidates.size());
        double turn = 0;  // microseconds
        for (size_t c = 0; c < candidates.size(); ++c) {
            try {
                replays[c] = std::make_unique<Replay>(candidates[c], stream_);
                turn += replays[c]->microseconds();
            } catch (const std::exception& error) {
                summaries[c].failure = error.what();
                cudaGetLastError();
            }
        }
        const int turns =
            std::clamp(static_cast<int>(1e6 * effort.seconds / std::max(turn, 1.0)), effort.least_samples, kMostSamples);
        std::vector<std::vector<double>> samples(candidates.size());
        for (int done = 0; done < turns; done += kTurnsAtOnce) take(replays, std::min(kTurnsAtOnce, turns - done), samples);
        for (size_t c = 0; c < candidates.size(); ++c)
            if (replays[c]) summaries[c] = summarize(samples[c]);
        return summaries;
    }

   private:
    void take(const std::vector<std::unique_ptr<Replay>>& replays, int turns, std::vector<std::vector<double>>& samples) {
        const auto first = std::find_if(replays.begin(), replays.end(), [](const auto& r) { return r && r->is_graph(); });
        if (first != replays.end()) (*first)->replay();  // the device stays busy from here on
        struct Sample {
            size_t candidate;
            Event begin, end;
        };
        std::vector<Sample> taken;
        for (int turn = 0; turn < turns; ++turn)
            for (size_t c = 0; c < replays.size(); ++c) {
                if (!replays[c] || !replays[c]->is_graph()) continue;
                taken.push_back({c, {}, {}});
                taken.back().begin.record(stream_);
                replays[c]->replay();
                taken.back().end.record(stream_);
            }
        check(cudaStreamSynchronize(stream_), "measuring");
        for (const Sample& sample : taken)
            samples[sample.candidate].push_back(sample.end.microseconds_since(sample.begin) / replays[sample.candidate]->calls());
        for (size_t c = 0; c < replays.size(); ++c)
            for (int turn = 0; replays[c] && !replays[c]->is_graph() && turn < turns; ++turn)
                samples[c].push_back(replays[c]->timed() / replays[c]->calls());
    }

    cudaStream_t stream_;
};

}  // namespace

std::unique_ptr<Meter> graph_meter(cudaStream_t stream) { return std::make_unique<GraphMeter>(stream); }

}  // namespace halfbyte::benchmark
