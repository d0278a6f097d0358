// cp.async and cp.async.bulk to global memory: copies of one thread, in groups, done as late as the program allows.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "report.h"

namespace halfbyte::emulation {

class Block;
struct Thread;

// cp.async: `size` bytes of shared memory, of which the first `source_size` come from global memory and the rest are zero. The
// bytes arrive when the thread waits for their group and not before: a kernel that reads them earlier reads nothing useful.
class AsyncCopies {
   public:
    void issue(Block& block, void* to, const void* from, unsigned size, unsigned source_size, Site where);
    void commit();
    void wait(Block& block, unsigned groups_left);
    void wait_all(Block& block);

    // All copies of `thread` so far arrive now (an mbarrier that they were tied to is being waited for).
    void land(Block& block, Thread& thread);

   private:
    struct Copy {
        uint32_t to, size, source_size;
        const void* from;
    };
    static void land(Block& block, Thread& thread, std::vector<Copy>& copies);

    std::vector<Copy> open_;
    std::deque<std::vector<Copy>> groups_;
};

// cp.async.bulk from shared to global memory: shared memory is read when the thread waits, so that overwriting it too early shows.
class BulkStores {
   public:
    void issue(std::function<void(Block&)> store) { open_.push_back(std::move(store)); }
    void commit();
    void wait(Block& block, unsigned groups_left);
    bool any_left() const { return !open_.empty() || !groups_.empty(); }

   private:
    std::vector<std::function<void(Block&)>> open_;
    std::deque<std::vector<std::function<void(Block&)>>> groups_;
};

}  // namespace halfbyte::emulation
