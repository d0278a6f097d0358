#include "warp.h"

#include <bit>

#include "block.h"

namespace halfbyte::emulation {

void Warp::reset(unsigned first, unsigned lanes) {
    first_ = first;
    lanes_ = lanes;
    gatherings_.clear();
    registers.clear();
}

bool Warp::join(Block& block, const char* instruction, uint32_t mask, void* operands, Site where) {
    Thread& self = block.thread();
    const uint32_t bit = 1u << self.lane();
    if ((mask & bit) == 0)
        block.fail(Fault::kDivergentWarp, nullptr, where, "executes %s with mask %08x, which lacks its own lane %u", instruction,
                   mask, self.lane());
    self.deposit = operands;
    for (Gathering& gathering : gatherings_) {
        if (gathering.mask != mask || gathering.instruction != instruction) continue;  // one literal per instruction
        if (gathering.where.line() != where.line())
            block.fail(Fault::kDivergentWarp, nullptr, where, "executes %s while other lanes of its mask wait in the one at %s",
                       instruction, to_text(gathering.where).c_str());
        gathering.joined |= bit;
        if (gathering.joined != mask) return false;
        std::swap(gathering, gatherings_.back());
        gatherings_.pop_back();
        return true;
    }
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
        const unsigned lane = static_cast<unsigned>(std::countr_zero(rest));
        if (lane >= lanes_ || block.thread(first_ + lane).finished)
            block.fail(Fault::kDivergentWarp, nullptr, where, "executes %s with mask %08x, but lane %u %s", instruction, mask, lane,
                       lane >= lanes_ ? "does not exist" : "has left the kernel");
    }
    if (std::has_single_bit(mask)) return true;
    gatherings_.push_back({instruction, mask, bit, where});
    return false;
}

void Warp::leave(Block& block) {
    for (const Gathering& gathering : gatherings_)
        if (gathering.mask & (1u << block.thread().lane()))
            block.fail(Fault::kDivergentWarp, nullptr, gathering.where,
                       "leaves the kernel while other lanes of its warp wait for it in %s", gathering.instruction);
}

void Warp::complete(Block& block, uint32_t mask, bool synchronize) {
    std::vector<Thread*> threads;
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1)
        threads.push_back(&block.thread(first_ + static_cast<unsigned>(std::countr_zero(rest))));
    if (synchronize) block.synchronize(threads);
    block.wake(threads);
}

void Warp::together(Block& block, const char* instruction, uint32_t mask, void* operands, void (*execute)(Block&, const Lanes&),
                    Site where) {
    if (join(block, instruction, mask, operands, where)) {
        Lanes lanes{};
        for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
            const unsigned lane = static_cast<unsigned>(std::countr_zero(rest));
            lanes[lane] = block.thread(first_ + lane).deposit;
        }
        execute(block, lanes);
        complete(block, mask, false);
    }
    block.suspend(instruction, where);
}

void Warp::sync(Block& block, uint32_t mask, Site where) {
    if (join(block, "__syncwarp", mask, nullptr, where)) complete(block, mask, true);
    block.suspend("__syncwarp", where);
}

}  // namespace halfbyte::emulation
