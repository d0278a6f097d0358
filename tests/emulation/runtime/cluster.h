// A cluster: blocks that run together on one OS thread, their common barrier, and their access to each other's shared memory. A
// block without a cluster is one of its own.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "clocks.h"
#include "report.h"

namespace halfbyte::emulation {

class Block;
class Cluster;
struct Launch;
struct Thread;

// barrier.cluster: a phase completes when every thread of the cluster that has not left has arrived.
class ClusterBarrier {
   public:
    void reset(unsigned threads, unsigned clocks);

    void arrive(Block& block, bool releases, Site where);  // or shows no more than that the thread has begun
    void wait(Block& block, Site where);
    void leave(Block& block);  // the running thread has left the kernel

   private:
    void complete_if_all_came(Block& block);

    unsigned threads_ = 0, missing_ = 0;  // threads that have not left; of these, not arrived in this phase
    unsigned phase_ = 1;
    Seen released_, completed_;
    std::vector<Seen::Entry> arrived_;
    std::vector<Thread*> waiting_;
};

class Cluster {
   public:
    // The blocks from `first` on along x.
    Cluster(Launch& launch, std::vector<std::unique_ptr<Block>> blocks, dim3 first);
    ~Cluster();

    // Goes on with its blocks. Returns false if it has paused: all that can run wait for other clusters. Else it has ended.
    bool run();

    unsigned size() const { return static_cast<unsigned>(blocks_.size()); }
    Block& block(unsigned rank) { return *blocks_[rank]; }
    std::vector<std::unique_ptr<Block>> take_blocks() { return std::move(blocks_); }

    ClusterBarrier barrier;

    // Shared memory by its address in the cluster's window: 1 + the block's rank in the upper 8 bits; 0 is the block's own.
    static constexpr unsigned kOffsetBits = 24;
    struct Place {
        Block& owner;
        uint32_t offset;
    };
    // Where an access of the running thread of `block` goes, which must be allowed to go there now. Notes it, so that the owner's
    // end can be held against it.
    Place place(Block& block, uint32_t address, Site where);

   private:
    void report_deadlock();

    Launch& launch_;
    std::vector<std::unique_ptr<Block>> blocks_;
    std::vector<unsigned> order_;  // of ranks, in which they run
};

}  // namespace halfbyte::emulation
