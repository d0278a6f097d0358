// __syncthreads and the sixteen named barriers.
#pragma once

#include <array>
#include <vector>

#include "clocks.h"
#include "report.h"

namespace halfbyte::emulation {

class Block;
struct Thread;

class Barriers {
   public:
    void reset(unsigned clocks);

    // __syncthreads: every thread of the block, at one place in the source. Returns the sum of all threads' `value`s (the votes
    // __syncthreads_count, _and and _or are made of it).
    int sync_all(Block& block, int value, Site where);

    // bar.sync and bar.arrive: `threads` arrivals, of which those of sync() wait.
    void sync(Block& block, unsigned barrier, unsigned threads, Site where);
    void arrive(Block& block, unsigned barrier, unsigned threads, Site where);

    // A thread has left the kernel: nobody may wait for it in __syncthreads.
    void leave(Block& block);

   private:
    struct Barrier {
        unsigned expected = 0, arrived = 0;
        std::vector<Thread*> waiting;
        Seen released;
        int sum = 0;
        Site where;
    };
    bool arrived(Block& block, Barrier& barrier, unsigned number, unsigned threads, Site where);

    Barrier all_;
    int result_ = 0;
    std::array<Barrier, 16> named_;
};

}  // namespace halfbyte::emulation
