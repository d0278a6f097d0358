#include "barriers.h"

#include <cstring>

#include "block.h"

namespace halfbyte::emulation {
namespace {
bool same(const Site& a, const Site& b) {
    return a.line() == b.line() && a.column() == b.column() && !std::strcmp(a.file_name(), b.file_name());
}
}  // namespace

void Barriers::reset(unsigned clocks) {
    all_ = Barrier();
    all_.released = Seen(clocks);
    for (Barrier& barrier : named_) {
        barrier = Barrier();
        barrier.released = Seen(clocks);
    }
}

int Barriers::sync_all(Block& block, int value, Site where) {
    // A GPU of today lets a barrier complete when the threads that remain have arrived, wherever they are. The programming model
    // does not promise it, so here it is a fault: all threads, one place.
    for (unsigned i = 0; block.any_finished() && i < block.size(); ++i)
        if (block.thread(i).finished)
            block.fail(Fault::kDivergentBarrier, nullptr, where, "waits in __syncthreads, but %s has left the kernel",
                       block.name_of(i).c_str());
    if (all_.waiting.empty()) {
        all_.where = where;
        all_.sum = 0;
    } else if (!same(all_.where, where)) {
        block.fail(Fault::kDivergentBarrier, nullptr, where, "reaches this __syncthreads while %s waits in the one at %s",
                   block.name_of(all_.waiting.front()->rank).c_str(), to_text(all_.where).c_str());
    }
    all_.sum += value;
    all_.waiting.push_back(&block.thread());
    if (all_.waiting.size() == block.size()) {
        result_ = all_.sum;
        block.synchronize(all_.waiting);
        block.wake(all_.waiting);
    }
    block.suspend("__syncthreads", where);
    return result_;  // of this barrier still: the next one completes only after every thread has passed here
}

bool Barriers::arrived(Block& block, Barrier& barrier, unsigned number, unsigned threads, Site where) {
    if (number >= named_.size() || threads == 0 || threads % 32 != 0 || threads > 1024)
        block.fail(Fault::kInvalidInstruction, nullptr, where,
                   "named barrier %u for %u threads; a barrier is 0 to 15, threads a multiple of 32", number, threads);
    if (barrier.arrived == 0) barrier.expected = threads;
    if (barrier.expected != threads)
        block.fail(Fault::kDivergentBarrier, nullptr, where, "arrives at named barrier %u for %u threads; others for %u", number,
                   threads, barrier.expected);
    block.release_to(barrier.released);
    return ++barrier.arrived == barrier.expected;
}

void Barriers::sync(Block& block, unsigned number, unsigned threads, Site where) {
    Barrier& barrier = named_[number % named_.size()];
    const bool last = arrived(block, barrier, number, threads, where);
    barrier.waiting.push_back(&block.thread());
    if (last) {
        for (Thread* thread : barrier.waiting) thread->seen.join(barrier.released);
        barrier.arrived = 0;
        block.wake(barrier.waiting);
    }
    block.suspend("a named barrier", where);
}

void Barriers::arrive(Block& block, unsigned number, unsigned threads, Site where) {
    Barrier& barrier = named_[number % named_.size()];
    if (!arrived(block, barrier, number, threads, where)) return;
    for (Thread* thread : barrier.waiting) thread->seen.join(barrier.released);
    barrier.arrived = 0;
    block.wake(barrier.waiting);
}

void Barriers::leave(Block& block) {
    if (!all_.waiting.empty())
        block.fail(Fault::kDivergentBarrier, nullptr, Site(), "leaves the kernel while %s waits in __syncthreads at %s",
                   block.name_of(all_.waiting.front()->rank).c_str(), to_text(all_.where).c_str());
}

}  // namespace halfbyte::emulation
