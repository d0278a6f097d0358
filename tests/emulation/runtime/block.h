// One block: its threads as fibers, who may run and who waits for what. All fibers of a block run on one OS thread.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../emulation.h"
#include "async_copies.h"
#include "barriers.h"
#include "clocks.h"
#include "counters.h"
#include "fiber.h"
#include "mbarrier.h"
#include "report.h"
#include "shared_memory.h"
#include "warp.h"
#include "wgmma.h"

namespace halfbyte::emulation {

struct Launch;

struct Thread {
    unsigned rank = 0;  // x + blockDim.x * (y + blockDim.y * z)
    uint3 index{};
    Context context{};
    char* stack = nullptr;
    bool finished = false;

    const char* waits_for = nullptr;  // for the report of a deadlock
    Site waits_at;

    // Synchronization: this thread's clock, what it has seen of the others, and the clock of its last fence.proxy.async.
    uint32_t clock = 1;
    Seen seen;
    uint32_t fenced = 0;

    void* deposit = nullptr;  // operands of the warp instruction it waits in
    AsyncCopies copies;       // cp.async
    BulkStores stores;        // cp.async.bulk to global memory
    WgmmaQueue wgmma;

    unsigned lane() const { return rank % 32; }
    unsigned warp() const { return rank / 32; }
};

class Block {
   public:
    Block() = default;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    // Begins the block of `index`, or goes on with it where it paused. Returns false if it has paused: all its threads wait for
    // other blocks. Else it has ended; its first fault went to `launch`.
    void prepare(Launch& launch, dim3 index);
    bool run();

    // The block whose kernel the calling code is part of; null on the host.
    static Block* current();

    Thread& thread() { return *running_; }
    Thread& thread(unsigned rank) { return *threads_[rank]; }
    unsigned size() const { return count_; }
    bool any_finished() const { return finished_ != 0; }
    Warp& warp() { return *warps_[running_->warp()]; }
    Warp& warp(unsigned index) { return *warps_[index]; }
    bool is_argument(const void* p) const;     // the kernel's parameters, on their way to the thread's stack
    std::string name_of(unsigned rank) const;  // "thread (3,0,0)"

    // Ends the launch with a report. Never returns: the fibers are left where they are.
    [[noreturn, gnu::format(printf, 5, 6)]] void fail(Fault fault, const void* code, Site where, const char* format, ...);

    // The running thread waits until another calls wake() for it.
    void suspend(const char* waits_for, Site where);
    void wake(Thread& thread) { ready_.push_back(&thread); }
    void wake(std::vector<Thread*>& threads);  // in the launch's order; clears the list
    void yield();                              // lets every other thread that can run go first
    void poll();                               // as yield, for a thread that waits for another block; pauses the block now and then
    bool others_can_run() const { return !ready_.empty(); }
    void check_progress();  // fails if the launch has taken too long

    // Releases: what the running thread did so far becomes visible to whoever acquires `target`.
    void release_to(Seen& target);
    void acquire(const Seen& source) { running_->seen.join(source); }
    // All `threads` have seen each other.
    void synchronize(const std::vector<Thread*>& threads);
    unsigned proxy() const { return count_; }  // the asynchronous proxy's number among the clocks
    uint32_t proxy_clock = 0;

    // The 128 threads of the running thread's warpgroup meet; the last to come calls `execute`, then all go on.
    void warpgroup_together(void (*execute)(Block&, unsigned), unsigned operand, Site where);

    SharedMemory shared;
    Barriers barriers;
    Mbarriers mbarriers;
    BlockCounters counters;

   private:
    static void enter(Transfer transfer);
    void end();
    bool warpgroups_agree() const;
    void switch_to(Thread* next);
    Thread* next_ready();
    void finish();
    std::string who_waits() const;

    Launch* launch_ = nullptr;
    dim3 index_{};
    unsigned count_ = 0, finished_ = 0;
    Thread* running_ = nullptr;
    Context scheduler_{};
    bool failed_ = false, paused_ = false;
    std::vector<std::unique_ptr<Thread>> threads_;
    std::vector<std::unique_ptr<Warp>> warps_;
    std::vector<Thread*> ready_;
    size_t ready_head_ = 0;
    size_t polls_ = 0;  // since the last pause
    std::array<std::vector<Thread*>, 8> warpgroups_;
    std::mt19937_64 random_;
    StackPool stacks_;
};

}  // namespace halfbyte::emulation
