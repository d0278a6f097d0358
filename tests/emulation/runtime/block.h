// One block: its threads as fibers, who may run and who waits for what. All fibers of a block run on one OS thread.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "../emulation.h"
#include "async_copies.h"
#include "barriers.h"
#include "clocks.h"
#include "cluster.h"
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
    unsigned rank = 0;    // x + blockDim.x * (y + blockDim.y * z)
    unsigned number = 0;  // among the clocks of the cluster
    uint3 index{};
    Context context{};
    char* stack = nullptr;
    bool finished = false;

    const char* waits_for = nullptr;  // for the report of a deadlock
    Site waits_at;

    // Synchronization: this thread's clock, what it has seen of the others, and the clock of its last fence.proxy.async.
    static constexpr uint32_t kBegun = 1;
    uint32_t clock = kBegun + 1;
    Seen seen;
    uint32_t fenced = 0;
    uint32_t barriers_fenced = 0;          // at its last fence.mbarrier_init
    unsigned cluster_phase = 0;            // in which it last arrived at the cluster barrier
    bool awaits_cluster = false;           // has arrived there and not waited yet
    uint32_t dependency_waited = 0;        // its clock at griddepcontrol.wait
    bool knows_predecessor_ended = false;  // has waited, or has synchronized with a thread that had

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

    // Begins the block of `index`, number `cluster_rank` of its cluster.
    void prepare(Launch& launch, Cluster& cluster, unsigned cluster_rank, dim3 index);
    // Goes on with it while one of its threads can run. Its first fault went to the launch.
    enum class Stop {
        kEnded,
        kPaused,  // all its threads that can run poll: for other blocks
        kWaits,   // none can run
    };
    Stop run();
    bool has_ended() const { return finished_ == count_; }

    // The block whose kernel the calling code is part of; null on the host.
    static Block* current();

    Thread& thread() { return *running_; }
    Thread& thread(unsigned rank) { return *threads_[rank]; }
    unsigned size() const { return count_; }
    bool any_finished() const { return finished_ != 0; }
    Warp& warp() { return *warps_[running_->warp()]; }
    Warp& warp(unsigned index) { return *warps_[index]; }
    const Launch& launch() const { return *launch_; }
    bool knows_predecessor_ended();            // the running thread
    int architecture() const;                  // the device's compute capability
    bool is_argument(const void* p) const;     // the kernel's parameters, on their way to the thread's stack
    std::string name() const;                  // "block (0,0,0)"
    std::string name_of(unsigned rank) const;  // "thread (3,0,0)"
    std::string who_waits() const;

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
    uint32_t proxy_clock = 0;

    // The clocks of a cluster: those of each block's threads, and one of its asynchronous proxy.
    Cluster& cluster() { return *cluster_; }
    unsigned cluster_rank() const { return cluster_rank_; }
    unsigned clocks_per_block() const { return count_ + 1; }
    unsigned clocks() const { return cluster_->size() * clocks_per_block(); }
    unsigned proxy() const { return cluster_rank_ * clocks_per_block() + count_; }
    const Thread* find(unsigned number) const;          // the thread of that number; null if it is a proxy
    std::string name_of_number(unsigned number) const;  // "thread (3,0,0)", of another block with its name, or "a bulk copy"

    // The running thread of another block is about to touch this block's shared memory. It must know that this block has begun.
    void check_presence(Block& visitor, Site where);
    // And it does so itself: at this block's end, one of its threads must know of the visit, else it may end too early for it.
    void note_visitor(Block& visitor, Site where);

    // The 128 threads of the running thread's warpgroup meet; the last to come calls `execute`, then all go on.
    void warpgroup_together(void (*execute)(Block&, unsigned), unsigned operand, Site where);

    SharedMemory shared;
    Barriers barriers;
    Mbarriers mbarriers;
    BlockCounters counters;

   private:
    static void enter(Transfer transfer);
    void end();
    void check_visitors();
    bool warpgroups_agree() const;
    void switch_to(Thread* next);
    Thread* next_ready();
    void finish();

    struct Visit {
        uint32_t clock;
        Site where;
    };

    Launch* launch_ = nullptr;
    Cluster* cluster_ = nullptr;
    unsigned cluster_rank_ = 0;
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
    std::unordered_map<unsigned, Visit> visits_;  // the last one of each thread of another block, by its number
    std::mt19937_64 random_;
    StackPool stacks_;
};

}  // namespace halfbyte::emulation
