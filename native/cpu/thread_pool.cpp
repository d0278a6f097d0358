#include "thread_pool.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace halfbyte::cpu {
namespace {

// Decode steps call many small products in a row: a helper that spins this long catches the next one without a trip through the
// kernel (about 20 microseconds on a 4 GHz core), and sleeps when the burst is over.
constexpr int kSpins = 2000;

void relax() {
#if defined(__x86_64__)
    _mm_pause();
#else
    std::this_thread::yield();
#endif
}

}  // namespace

struct ThreadPool::State {
    std::mutex callers;  // held by the caller whose work the helpers do
    std::mutex mutex;    // guards sleeping and starting
    std::condition_variable wake;
    std::vector<std::thread> helpers;
    std::atomic<uint64_t> generation{0};  // bumped when there is new work
    std::atomic<int> pending{0};          // helpers that have not finished the current work
    std::atomic<bool> stopping{false};
    Part run = nullptr;
    void* context = nullptr;
    int parts = 0;

    void help(int index, uint64_t seen) {
        for (;;) {
            uint64_t now = generation.load(std::memory_order_acquire);
            for (int spin = 0; now == seen && spin < kSpins; ++spin) {
                relax();
                now = generation.load(std::memory_order_acquire);
            }
            if (now == seen) {
                std::unique_lock lock(mutex);
                wake.wait(lock, [&] { return generation.load(std::memory_order_acquire) != seen; });
                now = generation.load(std::memory_order_acquire);
            }
            seen = now;
            if (stopping.load(std::memory_order_relaxed)) return;
            const int part = index + 1;  // the caller does part 0
            if (part < parts) run(context, part, parts);
            pending.fetch_sub(1, std::memory_order_acq_rel);
        }
    }

    // Starts helpers until there are `count`, or as many as the system gives: a process at its limits still gets its result.
    void grow(int count) {
        try {
            while (static_cast<int>(helpers.size()) < count) {
                const int index = static_cast<int>(helpers.size());
                helpers.emplace_back([this, index, seen = generation.load()] { help(index, seen); });
            }
        } catch (const std::system_error&) {  // no more threads
        } catch (const std::bad_alloc&) {
        }
    }

    void publish() {
        {
            std::lock_guard lock(mutex);
            generation.fetch_add(1, std::memory_order_release);
        }
        wake.notify_all();
    }
};

ThreadPool& ThreadPool::shared() {
    // Never destroyed: a process may still compute while static objects are being torn down.
    static ThreadPool* pool = new ThreadPool;
    return *pool;
}

ThreadPool::ThreadPool() : state_(std::make_unique<State>()) {}

ThreadPool::~ThreadPool() {
    state_->stopping.store(true);
    state_->publish();
    for (std::thread& helper : state_->helpers) helper.join();
}

void ThreadPool::run_parts(int parts, Part run, void* context) {
    State& state = *state_;
    std::unique_lock caller(state.callers, std::try_to_lock);
    if (!caller.owns_lock()) {
        for (int part = 0; part < parts; ++part) run(context, part, parts);
        return;
    }
    state.grow(parts - 1);
    const int helpers = static_cast<int>(state.helpers.size());
    state.run = run;
    state.context = context;
    state.parts = parts;
    state.pending.store(helpers, std::memory_order_relaxed);
    state.publish();
    run(context, 0, parts);
    for (int part = helpers + 1; part < parts; ++part) run(context, part, parts);  // for helpers that could not be had
    for (int spin = 0; state.pending.load(std::memory_order_acquire) != 0; ++spin) {
        if (spin < kSpins) relax();
        else std::this_thread::yield();
    }
}

}  // namespace halfbyte::cpu
