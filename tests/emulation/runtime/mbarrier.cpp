#include "mbarrier.h"

#include <algorithm>
#include <utility>

#include "block.h"

namespace halfbyte::emulation {

void Mbarriers::init(Block& block, void* barrier, unsigned count, Site where) {
    if (!block.shared.contains(barrier) || count == 0 || count > (1u << 20) - 1)
        block.fail(Fault::kInvalidInstruction, nullptr, where, "mbarrier.init of %p with count %u", barrier, count);
    const uint32_t offset = block.shared.offset(barrier);
    block.shared.write(block, offset, 8, false, nullptr, where);
    if (barriers_.contains(offset))
        block.fail(Fault::kInvalidInstruction, nullptr, where, "mbarrier.init of the barrier at offset %u, which is one already",
                   offset);
    Mbarrier fresh;
    fresh.count = fresh.pending = count;
    fresh.initializer = block.thread().number;
    fresh.initialized_at = block.thread().clock;
    fresh.released = fresh.completed = Seen(block.clocks());
    barriers_.emplace(offset, std::move(fresh));
}

Mbarriers::Mbarrier& Mbarriers::find(Block& block, void* barrier, const char* instruction, Site where) {
    const auto it = block.shared.contains(barrier) ? barriers_.find(block.shared.offset(barrier)) : barriers_.end();
    if (it == barriers_.end())
        block.fail(Fault::kInvalidInstruction, nullptr, where, "%s on %p, which is no initialized mbarrier", instruction, barrier);
    // Using a barrier reads it: the check is that its initialization is visible here.
    block.shared.read(block, it->first, 8, true, nullptr, where);
    ++block.counters.counts.mbarrier_operations;
    return it->second;
}

void Mbarriers::invalidate(Block& block, void* barrier, Site where) {
    find(block, barrier, "mbarrier.inval", where);
    barriers_.erase(block.shared.offset(barrier));
}

// Completes the phase if nothing is missing: its waiters go on, and the next phase expects everybody anew.
void Mbarriers::advance(Block& block, Mbarrier& barrier) {
    if (barrier.pending != 0 || barrier.bytes != 0) return;
    barrier.pending = barrier.count;
    ++barrier.phase;
    barrier.completed = barrier.released;
    block.wake(barrier.waiting);
}

// More arrivals than a phase expects are undefined: the phase may still be waiting for bytes.
void Mbarriers::count_arrival(Block& block, Mbarrier& barrier, Site where) {
    if (barrier.pending == 0)
        block.fail(Fault::kInvalidInstruction, nullptr, where,
                   "an arrival at an mbarrier of whose %u none is missing in this phase", barrier.count);
    --barrier.pending;
}

void Mbarriers::expect_bytes(Block& block, void* barrier, uint32_t bytes, Site where) {
    find(block, barrier, "mbarrier.expect_tx", where).bytes += bytes;
}

void Mbarriers::arrive(Block& block, void* barrier, Site where) {
    Mbarrier& found = find(block, barrier, "mbarrier.arrive", where);
    block.release_to(found.released);
    count_arrival(block, found, where);
    advance(block, found);
}

Mbarriers::Mbarrier& Mbarriers::find_from(Block& owner, Block& block, uint32_t offset, const char* instruction, Site where) {
    const auto it = barriers_.find(offset);
    if (it == barriers_.end())
        block.fail(Fault::kInvalidInstruction, nullptr, where,
                   "%s at offset %u of the shared memory of %s, which is no initialized mbarrier", instruction, offset,
                   owner.name().c_str());
    owner.shared.read(block, offset, 8, true, nullptr, where);
    ++block.counters.counts.mbarrier_operations;
    return it->second;
}

void Mbarriers::arrive_from(Block& owner, Block& block, uint32_t offset, Site where) {
    Mbarrier& found = find_from(owner, block, offset, "mbarrier.arrive", where);
    block.release_to(found.released);
    count_arrival(block, found, where);
    advance(owner, found);
}

bool Mbarriers::land(Block& block, Mbarrier& barrier) {
    if (barrier.under_way.empty()) return false;
    for (auto& copy : std::exchange(barrier.under_way, {})) copy(block);
    return true;
}

void Mbarriers::wait(Block& block, void* barrier, unsigned parity, Site where) {
    Mbarrier& found = find(block, barrier, "mbarrier.try_wait", where);
    while ((found.phase & 1) == parity) {
        if (land(block, found)) continue;
        found.waiting.push_back(&block.thread());
        block.suspend("an mbarrier", where);
    }
    block.acquire(found.completed);
}

bool Mbarriers::test(Block& block, void* barrier, unsigned parity, Site where) {
    Mbarrier& found = find(block, barrier, "mbarrier.test_wait", where);
    if ((found.phase & 1) == parity) {
        if (!block.others_can_run()) land(block, found);
        block.yield();
        block.check_progress();
    }
    if ((found.phase & 1) == parity) return false;
    block.acquire(found.completed);
    return true;
}

void Mbarriers::deliver(Block& block, void* barrier, uint32_t bytes, std::function<void(Block&)> land, Site where) {
    deliver(block, block, find(block, barrier, "cp.async.bulk", where), bytes, std::move(land), where);
}

void Mbarriers::deliver_from(Block& owner, Block& block, uint32_t offset, uint32_t bytes, std::function<void(Block&)> land,
                             Site where) {
    deliver(owner, block, find_from(owner, block, offset, "cp.async.bulk", where), bytes, std::move(land), where);
}

void Mbarriers::deliver(Block& owner, Block& block, Mbarrier& barrier, uint32_t bytes, std::function<void(Block&)> land,
                        Site where) {
    const Thread* initializer = owner.find(barrier.initializer);
    if (initializer != nullptr && barrier.initialized_at > std::max(initializer->barriers_fenced, initializer->fenced))
        block.fail(Fault::kMissingProxyFence, nullptr, where,
                   "cp.async.bulk counts towards an mbarrier that %s initialized without fence.mbarrier_init after it",
                   owner.name_of_number(barrier.initializer).c_str());
    barrier.under_way.push_back([&barrier, bytes, land = std::move(land)](Block& at) {
        land(at);
        barrier.released.add(at.proxy(), at.proxy_clock);
        barrier.bytes -= bytes;
        advance(at, barrier);
    });
}

void Mbarriers::arrive_after_copies(Block& block, void* barrier, Site where) {
    Mbarrier& found = find(block, barrier, "cp.async.mbarrier.arrive", where);
    Thread* thread = &block.thread();
    found.under_way.push_back([&found, thread](Block& at) {
        thread->copies.land(at, *thread);
        found.released.join(thread->seen);
        found.released.add(thread->number, thread->clock++);
        --found.pending;
        advance(at, found);
    });
}

bool Mbarriers::land_awaited(Block& block) {
    bool any = false;
    for (auto& [offset, barrier] : barriers_)
        if (!barrier.waiting.empty()) any = land(block, barrier) || any;
    return any;
}

bool Mbarriers::any_under_way() const {
    for (const auto& [offset, barrier] : barriers_)
        if (!barrier.under_way.empty()) return true;
    return false;
}

}  // namespace halfbyte::emulation
