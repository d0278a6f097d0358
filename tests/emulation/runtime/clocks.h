// Which thread knows of which write: vector clocks, the textbook device for data races.
//
// Each thread has a clock that moves on when it synchronizes. Another thread has "seen" it up to some value; an access made at a
// clock value that it has not seen is unordered with its own accesses. Barriers make their participants see each other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace halfbyte::emulation {

class Seen {
   public:
    using Vector = std::vector<uint32_t>;

    explicit Seen(size_t threads = 0) : clocks_(std::make_shared<const Vector>(threads, 0)) {}

    bool includes(unsigned thread, uint32_t clock) const { return (*clocks_)[thread] >= clock; }

    // What both have seen. Threads that left one barrier share one vector, so most joins are free; and whoever learns nothing that
    // others do not know shares theirs.
    void join(const Seen& other) {
        if (clocks_ == other.clocks_) return;
        bool learns = false, knows_more = false;
        for (size_t i = 0; i < clocks_->size(); ++i) {
            learns |= (*clocks_)[i] < (*other.clocks_)[i];
            knows_more |= (*clocks_)[i] > (*other.clocks_)[i];
        }
        if (!knows_more) clocks_ = other.clocks_;
        if (!knows_more || !learns) return;
        Vector joined = *clocks_;
        for (size_t i = 0; i < joined.size(); ++i) joined[i] = std::max(joined[i], (*other.clocks_)[i]);
        clocks_ = std::make_shared<const Vector>(std::move(joined));
    }

    void add(unsigned thread, uint32_t clock) {
        Vector added = *clocks_;
        added[thread] = std::max(added[thread], clock);
        clocks_ = std::make_shared<const Vector>(std::move(added));
    }

    struct Entry {
        unsigned thread;
        uint32_t clock;
    };
    void add(std::span<const Entry> entries) {
        Vector added = *clocks_;
        for (const Entry& entry : entries) added[entry.thread] = std::max(added[entry.thread], entry.clock);
        clocks_ = std::make_shared<const Vector>(std::move(added));
    }

   private:
    std::shared_ptr<const Vector> clocks_;
};

}  // namespace halfbyte::emulation
