// How the threads of a block come to see each other's accesses.
#include "block.h"

namespace halfbyte::emulation {

void Block::release_to(Seen& target) {
    target.join(running_->seen);
    target.add(running_->number, running_->clock++);
}

void Block::synchronize(const std::vector<Thread*>& threads) {
    Seen all = threads.front()->seen;
    std::vector<Seen::Entry> entries;
    for (const Thread* thread : threads) {
        all.join(thread->seen);
        entries.push_back({thread->number, thread->clock});
    }
    all.add(entries);
    for (Thread* thread : threads) {
        thread->seen = all;
        ++thread->clock;
    }
    unsigned flushed = ~0u;
    for (const Thread* thread : threads)
        if (counters.on && thread->rank / 32 != flushed) counters.flush(flushed = thread->rank / 32);
}

bool Block::knows_predecessor_ended() {
    for (unsigned number = 0; number < clocks() && !running_->knows_predecessor_ended; ++number) {
        const Thread* thread = find(number);
        running_->knows_predecessor_ended =
            thread != nullptr && thread->dependency_waited != 0 && running_->seen.includes(number, thread->dependency_waited);
    }
    return running_->knows_predecessor_ended;
}

void Block::warpgroup_together(void (*execute)(Block&, unsigned), unsigned operand, Site where) {
    const unsigned group = running_->rank / 128;
    if (count_ < 128 * (group + 1))
        fail(Fault::kDivergentWarp, nullptr, where,
             "wgmma by threads 128 to 255 and so on; the last group of this block is not whole");
    std::vector<Thread*>& waiting = warpgroups_[group];
    waiting.push_back(running_);
    if (waiting.size() == 128) {
        execute(*this, operand);
        wake(waiting);
    }
    suspend("wgmma.wait_group", where);
}

}  // namespace halfbyte::emulation
