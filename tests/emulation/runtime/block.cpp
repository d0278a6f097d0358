#include "block.h"

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>

#include "access.h"
#include "launch.h"
#include "special_registers.h"

namespace halfbyte::emulation {
namespace {
thread_local Block* t_current = nullptr;
}

Block* Block::current() { return t_current; }

std::string Block::name() const { return text("block (%u,%u,%u)", index_.x, index_.y, index_.z); }

std::string Block::name_of(unsigned rank) const {
    const uint3 at = threads_[rank]->index;
    return text("thread (%u,%u,%u)", at.x, at.y, at.z);
}

const Thread* Block::find(unsigned number) const {
    const unsigned rank = number % clocks_per_block();
    return rank == count_ ? nullptr : cluster_->block(number / clocks_per_block()).threads_[rank].get();
}

std::string Block::name_of_number(unsigned number) const {
    const Block& block = cluster_->block(number / clocks_per_block());
    const Thread* thread = find(number);
    return (thread != nullptr ? block.name_of(thread->rank) : "a bulk copy") + (&block != this ? " of " + block.name() : "");
}

bool Block::is_argument(const void* p) const {
    return static_cast<size_t>(static_cast<const char*>(p) - static_cast<const char*>(launch_->arguments)) <
           launch_->argument_bytes;
}

int Block::architecture() const { return launch_->architecture; }

void Block::prepare(Launch& launch, Cluster& cluster, unsigned cluster_rank, dim3 index) {
    launch_ = &launch;
    cluster_ = &cluster;
    cluster_rank_ = cluster_rank;
    index_ = index;
    count_ = launch.block.x * launch.block.y * launch.block.z;
    finished_ = 0;
    failed_ = false;
    proxy_clock = 0;
    ready_.clear();
    ready_head_ = 0;
    random_.seed(launch.order.seed * 0x9e3779b97f4a7c15u + index.x + 65536u * index.y + (uint64_t{index.z} << 32));
    shared.reset(launch.shared_bytes, cluster.size() > 1 ? "shared memory of " + name() : "shared memory");
    barriers.reset(clocks());
    mbarriers.reset();
    counters.reset(launch.counting, count_);
    for (auto& waiting : warpgroups_) waiting.clear();
    visits_.clear();
    const Seen nothing(clocks());
    for (unsigned rank = 0; rank < count_; ++rank) {
        if (rank >= threads_.size()) threads_.push_back(std::make_unique<Thread>());
        Thread& thread = *threads_[rank];
        thread = Thread();
        thread.rank = rank;
        thread.number = cluster_rank * clocks_per_block() + rank;
        thread.index = {rank % launch.block.x, rank / launch.block.x % launch.block.y, rank / (launch.block.x * launch.block.y)};
        thread.seen = nothing;
        thread.stack = stacks_.bottom(rank);
        thread.context = boost::context::detail::make_fcontext(thread.stack + StackPool::kBytes, StackPool::kBytes, enter);
    }
    for (unsigned warp = 0; warp * 32 < count_; ++warp) {
        if (warp >= warps_.size()) warps_.push_back(std::make_unique<Warp>());
        warps_[warp]->reset(warp * 32, std::min(32u, count_ - warp * 32));
    }
    std::vector<Thread*> all;
    for (unsigned rank = 0; rank < count_; ++rank) all.push_back(threads_[rank].get());
    wake(all);
}

Block::Stop Block::run() {
    blockIdx = {index_.x, index_.y, index_.z};
    blockDim = launch_->block;
    gridDim = launch_->grid;
    t_current = this;
    paused_ = false;
    switch_to(next_ready());  // comes back when no thread can run
    t_current = nullptr;
    if (failed_) return Stop::kEnded;
    if (paused_) return Stop::kPaused;
    if (!has_ended()) return Stop::kWaits;
    end();
    return Stop::kEnded;
}

void Block::end() {
    if (mbarriers.any_under_way())
        launch_->fail({Fault::kNotWaitedFor, launch_->name() + ", " + name() +
                                                 ": ended while a copy to an mbarrier was under way that nobody waited for"});
    if (!warpgroups_agree())
        launch_->fail({Fault::kDivergentWarp, launch_->name() + ", " + name() +
                                                  ": the warps of a warpgroup have executed different setmaxnreg instructions"});
    check_visitors();
    if (launch_->counting) {
        counters.flush();
        counters.counts.blocks = 1;
        const std::lock_guard lock(launch_->mutex);
        add(launch_->counts, counters.counts);
    }
}

void Block::check_presence(Block& visitor, Site where) {
    const Thread& self = visitor.thread();
    if (has_ended())
        visitor.fail(Fault::kBlockNotThere, nullptr, where, "accesses the shared memory of %s, which has ended", name().c_str());
    const auto is_known = [&](const auto& thread) { return self.seen.includes(thread->number, Thread::kBegun); };
    if (std::none_of(threads_.begin(), threads_.begin() + count_, is_known))
        visitor.fail(Fault::kBlockNotThere, nullptr, where,
                     "accesses the shared memory of %s, but no cluster barrier has shown that it has begun", name().c_str());
}

void Block::note_visitor(Block& visitor, Site where) {
    check_presence(visitor, where);
    const Thread& self = visitor.thread();
    visits_.insert_or_assign(self.number, Visit{self.clock, where});
}

void Block::check_visitors() {
    for (const auto& [number, visit] : visits_) {
        const auto knows = [&](const auto& thread) { return thread->seen.includes(number, visit.clock); };
        if (std::any_of(threads_.begin(), threads_.begin() + count_, knows)) continue;
        launch_->fail(
            {Fault::kBlockNotThere, text("%s, %s: %s: ends without a cluster barrier after %s accessed its shared memory at %s",
                                         launch_->name().c_str(), name().c_str(), halfbyte::emulation::name(Fault::kBlockNotThere),
                                         name_of_number(number).c_str(), to_text(visit.where).c_str())});
    }
}

bool Block::warpgroups_agree() const {
    static const std::vector<int> none;
    for (unsigned warp = 0; warp * 32 < count_; ++warp)
        for (unsigned other = warp / 4 * 4; other < warp / 4 * 4 + 4; ++other)
            if (warps_[warp]->registers != (other * 32 < count_ ? warps_[other]->registers : none)) return false;
    return true;
}

// "12 threads wait in __syncthreads at kernel.cu:40 (the first is thread (0,0,0)); ..."
std::string Block::who_waits() const {
    struct Place {
        std::string where;
        unsigned first, threads;
    };
    std::vector<Place> places;
    for (unsigned rank = 0; rank < count_; ++rank) {
        const Thread& thread = *threads_[rank];
        if (thread.finished) continue;
        const std::string where = text("%s at %s", thread.waits_for, to_text(thread.waits_at).c_str());
        const auto same = std::find_if(places.begin(), places.end(), [&](const Place& place) { return place.where == where; });
        if (same != places.end()) ++same->threads;
        else places.push_back({where, rank, 1});
    }
    std::string result;
    for (const Place& place : places)
        result += text("%s%u threads wait in %s, the first is %s", result.empty() ? "" : "; ", place.threads, place.where.c_str(),
                       name_of(place.first).c_str());
    return result + text("; %u have finished", finished_);
}

// ---- switching -----------------------------------------------------------------------------------------------------------------

// The running fiber jumps straight to the next one. Whoever is reached stores where the other was left.
void Block::switch_to(Thread* next) {
    Thread* const self = running_;
    running_ = next;
    if (next != nullptr) threadIdx = next->index;
    const Transfer from = boost::context::detail::jump_fcontext(next != nullptr ? next->context : scheduler_, self);
    if (from.data != nullptr) static_cast<Thread*>(from.data)->context = from.fctx;
    else scheduler_ = from.fctx;
    if (self == nullptr) running_ = nullptr;
}

void Block::enter(Transfer transfer) {
    Block& block = *t_current;
    if (transfer.data != nullptr) static_cast<Thread*>(transfer.data)->context = transfer.fctx;
    else block.scheduler_ = transfer.fctx;
    block.launch_->call(block.launch_->arguments);
    block.finish();
}

void Block::finish() {
    running_->finished = true;
    ++finished_;
    if (running_->stores.any_left())
        fail(Fault::kNotWaitedFor, nullptr, Site(), "leaves the kernel before its bulk stores from shared memory are done");
    if (running_->wgmma.any_left())
        fail(Fault::kNotWaitedFor, nullptr, Site(), "leaves the kernel before its wgmma instructions are done");
    if (launch_->footprint.may_overlap && !knows_predecessor_ended())
        fail(Fault::kOverlap, nullptr, Site(),
             "leaves a kernel that overlaps the one before it without a grid_dependency_wait(): the kernel after it takes its end "
             "for "
             "that of both");
    warp().leave(*this);
    barriers.leave(*this);
    cluster_->barrier.leave(*this);
    switch_to(next_ready());
}

Thread* Block::next_ready() {
    while (ready_head_ == ready_.size()) {
        ready_.clear();
        ready_head_ = 0;
        if (!mbarriers.land_awaited(*this)) return nullptr;
    }
    Thread* next = ready_[ready_head_++];
    if (ready_head_ == ready_.size()) {
        ready_.clear();
        ready_head_ = 0;
    }
    return next;
}

void Block::wake(std::vector<Thread*>& threads) {
    const auto by_rank = [](const Thread* a, const Thread* b) { return a->rank < b->rank; };
    std::sort(threads.begin(), threads.end(), by_rank);
    if (launch_->order.kind == Order::kReverse) std::reverse(threads.begin(), threads.end());
    if (launch_->order.kind == Order::kRandom) std::shuffle(threads.begin(), threads.end(), random_);
    ready_.insert(ready_.end(), threads.begin(), threads.end());
    threads.clear();
}

void Block::suspend(const char* waits_for, Site where) {
    running_->waits_for = waits_for;
    running_->waits_at = where;
    Thread* const next = next_ready();
    if (next != running_) switch_to(next);
}

void Block::yield() {
    if (cluster_->size() > 1) return poll();  // it may wait for a block of its cluster
    wake(*running_);
    suspend("a loop that polls", Site());
}

void Block::poll() {
    wake(*running_);
    if (++polls_ < ready_.size() - ready_head_) {
        suspend("a loop that polls", Site());
        return;
    }
    polls_ = 0;  // perhaps all that can run are polling, and it is another block's turn
    paused_ = true;
    switch_to(nullptr);
}

void Block::check_progress() {
    if (launch_->failed) {  // in another block, on another OS thread
        failed_ = true;
        switch_to(nullptr);
    }
    if (std::chrono::steady_clock::now() > launch_->deadline)
        fail(Fault::kDeadlock, nullptr, Site(),
             "has made no progress for too long: an endless loop, or a wait for a block that has not begun");
}

void Block::fail(Fault fault, const void* code, Site where, const char* format, ...) {
    {
        char what[512];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(what, sizeof what, format, arguments);
        va_end(arguments);
        std::string line = to_text(where);
        if (line.empty()) line = source_line(code);
        launch_->fail(
            {fault, text("%s, %s, %s%s%s: %s: %s", launch_->name().c_str(), name().c_str(), name_of(running_->rank).c_str(),
                         line.empty() ? "" : ", ", line.c_str(), halfbyte::emulation::name(fault), what)});
    }
    failed_ = true;
    switch_to(nullptr);
    __builtin_unreachable();
}

}  // namespace halfbyte::emulation
