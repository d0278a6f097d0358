#include "async_copies.h"

#include <cstring>
#include <utility>

#include "access.h"
#include "block.h"

namespace halfbyte::emulation {

void AsyncCopies::issue(Block& block, void* to, const void* from, unsigned size, unsigned source_size, Site where) {
    if ((size != 4 && size != 8 && size != 16) || source_size > size)
        block.fail(Fault::kInvalidInstruction, nullptr, where, "cp.async of %u bytes, %u of them read; the sizes are 4, 8 and 16",
                   size, source_size);
    if (!block.shared.contains(to))
        block.fail(Fault::kInvalidInstruction, nullptr, where, "cp.async to %p, which is not shared memory", to);
    if (source_size != 0) check_global(block, from, source_size, false, nullptr, where);
    if (reinterpret_cast<uintptr_t>(from) % size != 0)
        block.fail(Fault::kMisaligned, nullptr, where, "cp.async of %u bytes from %p", size, from);
    block.shared.begin_copy(block, block.shared.offset(to), size, where);
    open_.push_back({block.shared.offset(to), size, source_size, from});
}

void AsyncCopies::land(Block& block, Thread& thread, std::vector<Copy>& copies) {
    for (const Copy& copy : copies) {
        char bytes[16] = {};
        if (copy.source_size != 0) std::memcpy(bytes, copy.from, copy.source_size);
        block.shared.land_copy(copy.to, bytes, copy.size, thread.number, thread.clock);
    }
    copies.clear();
}

void AsyncCopies::commit() { groups_.push_back(std::exchange(open_, {})); }

void AsyncCopies::wait(Block& block, unsigned groups_left) {
    while (groups_.size() > groups_left) {
        land(block, block.thread(), groups_.front());
        groups_.pop_front();
    }
}

void AsyncCopies::wait_all(Block& block) { land(block, block.thread()); }

void AsyncCopies::land(Block& block, Thread& thread) {
    for (auto& group : groups_) land(block, thread, group);
    groups_.clear();
    land(block, thread, open_);
}

void BulkStores::commit() { groups_.push_back(std::exchange(open_, {})); }

void BulkStores::wait(Block& block, unsigned groups_left) {
    while (groups_.size() > groups_left) {
        for (auto& store : groups_.front()) store(block);
        groups_.pop_front();
    }
}

}  // namespace halfbyte::emulation
