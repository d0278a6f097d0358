// mbarrier objects: arrivals and bytes that complete a phase, and threads that wait for it.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "clocks.h"
#include "report.h"

namespace halfbyte::emulation {

class Block;
struct Thread;

class Mbarriers {
   public:
    void reset() { barriers_.clear(); }

    void init(Block& block, void* barrier, unsigned count, Site where);
    void invalidate(Block& block, void* barrier, Site where);
    void expect_bytes(Block& block, void* barrier, uint32_t bytes, Site where);
    void arrive(Block& block, void* barrier, Site where);
    // The same by the running thread of another block of the cluster.
    void arrive_from(Block& owner, Block& block, uint32_t offset, Site where);

    // Returns when the phase of `parity` has completed. What is under way to the barrier arrives here, as late as it may.
    void wait(Block& block, void* barrier, unsigned parity, Site where);
    // Whether it has; looking does not make anything arrive, unless every other thread waits too.
    bool test(Block& block, void* barrier, unsigned parity, Site where);

    // A bulk copy of `bytes` that will land by `land` and count towards the barrier when somebody waits.
    void deliver(Block& block, void* barrier, uint32_t bytes, std::function<void(Block&)> land, Site where);
    // The same to the barrier at `offset` of another block's shared memory, by the running thread of `block`.
    void deliver_from(Block& owner, Block& block, uint32_t offset, uint32_t bytes, std::function<void(Block&)> land, Site where);
    // cp.async.mbarrier.arrive.noinc: one arrival, when the running thread's cp.async copies have landed.
    void arrive_after_copies(Block& block, void* barrier, Site where);

    // When no thread of the block can run: lets the copies arrive for which one waits. False if there are none.
    bool land_awaited(Block& block);

    // Copies to barriers on which nobody waited; their target may be another block's memory by the time they land.
    bool any_under_way() const;

   private:
    struct Mbarrier {
        unsigned count = 0, pending = 0;
        int64_t bytes = 0;  // expected minus arrived; bytes that come before they are expected make it negative
        unsigned phase = 0;
        unsigned initializer = 0;  // the thread's number, and its clock then
        uint32_t initialized_at = 0;
        Seen released, completed;
        std::vector<Thread*> waiting;
        std::vector<std::function<void(Block&)>> under_way;
    };
    Mbarrier& find(Block& block, void* barrier, const char* instruction, Site where);
    Mbarrier& find_from(Block& owner, Block& block, uint32_t offset, const char* instruction, Site where);
    void count_arrival(Block& block, Mbarrier& barrier, Site where);
    static void advance(Block& block, Mbarrier& barrier);
    static bool land(Block& block, Mbarrier& barrier);
    static void deliver(Block& owner, Block& block, Mbarrier& barrier, uint32_t bytes, std::function<void(Block&)> land,
                        Site where);

    std::unordered_map<uint32_t, Mbarrier> barriers_;  // by offset in shared memory
};

}  // namespace halfbyte::emulation
