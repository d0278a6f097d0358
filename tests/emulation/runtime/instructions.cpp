// Barriers, votes, shuffles and what kernels may do to memory beyond loads and stores.
#include "instructions.h"

#include <bit>

#include "access.h"
#include "block.h"
#include "device_memory.h"
#include "footprint.h"

namespace halfbyte::emulation {
namespace {

Block& here() { return *Block::current(); }

}  // namespace

int sync_threads(int value, Site where) {
    Block& block = here();
    if (block.thread().lane() == 0) ++block.counters.counts.barriers;
    return block.barriers.sync_all(block, value, where);
}

void named_barrier_sync(unsigned barrier, unsigned threads, Site where) {
    if (here().thread().lane() == 0) ++here().counters.counts.barriers;
    here().barriers.sync(here(), barrier, threads, where);
}

void named_barrier_arrive(unsigned barrier, unsigned threads, Site where) {
    here().barriers.arrive(here(), barrier, threads, where);
}

void sync_warp(uint32_t mask, Site where) {
    if (here().thread().lane() == 0) ++here().counters.counts.warp_syncs;
    here().warp().sync(here(), mask, where);
}

// ---- votes and shuffles --------------------------------------------------------------------------------------------------------

uint32_t ballot(uint32_t mask, bool predicate, Site where) {
    struct Vote {
        bool predicate;
        uint32_t result;
    } vote{predicate, 0};
    here().warp().together(
        here(), "a vote", mask, &vote,
        [](Block& block, const Lanes& lanes) {
            ++block.counters.counts.votes;
            uint32_t result = 0;
            for (unsigned lane = 0; lane < 32; ++lane)
                if (lanes[lane] != nullptr && static_cast<Vote*>(lanes[lane])->predicate) result |= 1u << lane;
            for (void* lane : lanes)
                if (lane != nullptr) static_cast<Vote*>(lane)->result = result;
        },
        where);
    return vote.result;
}

uint32_t match_any(uint32_t mask, uint64_t value, Site where) {
    struct Match {
        uint64_t value;
        uint32_t result;
    } match{value, 0};
    here().warp().together(
        here(), "__match_any_sync", mask, &match,
        [](Block& block, const Lanes& lanes) {
            ++block.counters.counts.votes;
            for (void* a : lanes)
                for (unsigned lane = 0; a != nullptr && lane < 32; ++lane)
                    if (lanes[lane] != nullptr && static_cast<Match*>(a)->value == static_cast<Match*>(lanes[lane])->value)
                        static_cast<Match*>(a)->result |= 1u << lane;
        },
        where);
    return match.result;
}

uint64_t shuffle(Shuffle kind, uint32_t mask, uint64_t value, unsigned operand, unsigned width, Site where) {
    struct Part {
        Shuffle kind;
        unsigned operand, width;
        uint64_t value, result;
        const Site* where;
    } part{kind, operand, width, value, value, &where};
    if (width == 0 || width > 32 || !std::has_single_bit(width))
        here().fail(Fault::kInvalidInstruction, nullptr, where, "a shuffle of width %u; it must be 1, 2, 4, 8, 16 or 32", width);
    here().warp().together(
        here(), "a shuffle", mask, &part,
        [](Block& block, const Lanes& lanes) {
            ++block.counters.counts.shuffles;
            for (unsigned lane = 0; lane < 32; ++lane) {
                if (lanes[lane] == nullptr) continue;
                Part& self = *static_cast<Part*>(lanes[lane]);
                const unsigned first = lane & ~(self.width - 1), last = first + self.width - 1;
                unsigned from = lane;
                switch (self.kind) {
                    case Shuffle::kIndex:
                        from = first + (self.operand & (self.width - 1));
                        break;
                    case Shuffle::kUp:
                        from = lane >= first + self.operand ? lane - self.operand : lane;
                        break;
                    case Shuffle::kDown:
                        from = lane + self.operand <= last ? lane + self.operand : lane;
                        break;
                    case Shuffle::kXor:
                        from = (lane ^ self.operand) <= last ? lane ^ self.operand : lane;
                        break;
                }
                if (lanes[from] == nullptr)
                    block.fail(Fault::kDivergentWarp, nullptr, *self.where,
                               "lane %u shuffles from lane %u, which is not in the mask", lane, from);
                self.result = static_cast<Part*>(lanes[from])->value;
            }
        },
        where);
    return part.result;
}

int64_t reduce(Reduce kind, uint32_t mask, int64_t value, Site where) {
    struct Part {
        Reduce kind;
        int64_t value, result;
    } part{kind, value, 0};
    here().warp().together(
        here(), "__reduce_sync", mask, &part,
        [](Block& block, const Lanes& lanes) {
            ++block.counters.counts.shuffles;
            bool first = true;
            int64_t all = 0;
            for (void* lane : lanes) {
                if (lane == nullptr) continue;
                const Part& each = *static_cast<Part*>(lane);
                if (std::exchange(first, false)) {
                    all = each.value;
                    continue;
                }
                switch (each.kind) {
                    case Reduce::kAdd:
                        all += each.value;
                        break;
                    case Reduce::kMin:
                        all = std::min(all, each.value);
                        break;
                    case Reduce::kMax:
                        all = std::max(all, each.value);
                        break;
                    case Reduce::kAnd:
                        all &= each.value;
                        break;
                    case Reduce::kOr:
                        all |= each.value;
                        break;
                    case Reduce::kXor:
                        all ^= each.value;
                        break;
                }
            }
            for (void* lane : lanes)
                if (lane != nullptr) static_cast<Part*>(lane)->result = all;
        },
        where);
    return part.result;
}

// ---- memory --------------------------------------------------------------------------------------------------------------------

void observe(const void* p, unsigned size, bool write, bool atomic) {
    Block* block = Block::current();
    if (block == nullptr) return;
    if (atomic && write) block->counters.atomic();
    access(*block, p, size, write, atomic, __builtin_return_address(0), Site());
}

void read_only(const void* p, unsigned size, Site where) {
    Block* block = Block::current();
    const DeviceMemory& memory = DeviceMemory::instance();
    if (block == nullptr || !memory.contains(p)) return;
    const Allocation* allocation = memory.find(p);
    const bool exists = allocation != nullptr && static_cast<const char*>(p) + size <= allocation->end();
    if (exists) note_read_only(*block, *allocation, p, size, where);  // if not, the load itself has more to say
}

void prefetch(const void* p, Site where) {
    const DeviceMemory& memory = DeviceMemory::instance();
    if (!memory.contains(p) || !memory.is_valid(p, 1))
        here().fail(Fault::kGlobalOutOfBounds, nullptr, where, "prefetches %p, which no allocation holds", p);
}

void polled() {
    here().check_progress();
    here().poll();
}

bool since(int architecture) { return here().architecture() >= architecture; }

void require(int architecture, Site where) {
    if (here().architecture() < architecture)
        here().fail(Fault::kInvalidInstruction, nullptr, where, "an instruction since sm_%d traps on sm_%d", architecture,
                    here().architecture());
}

void require_sm_90a(Site where) {
    if (here().architecture() != 90)
        here().fail(Fault::kInvalidInstruction, nullptr, where, "an instruction of sm_90a alone traps on sm_%d",
                    here().architecture());
}

void count_permute() {
    if (Block* block = Block::current()) block->counters.permute();
}
void count_logic() {
    if (Block* block = Block::current()) block->counters.logic();
}

void* dynamic_shared() { return here().shared.base(); }
uint32_t shared_address(const void* p) { return here().shared.offset(p); }
void* shared_pointer(uint32_t address) { return here().shared.base() + address; }

// ---- asynchronous copies, barriers in memory -----------------------------------------------------------------------------------

void copy_async(void* to, const void* from, unsigned size, unsigned source_size, Site where) {
    if (here().thread().lane() == 0) ++here().counters.counts.async_copies;
    here().thread().copies.issue(here(), to, from, size, source_size, where);
}
void copy_async_commit() { here().thread().copies.commit(); }
void copy_async_wait(unsigned groups_left) { here().thread().copies.wait(here(), groups_left); }
void copy_async_wait_all() { here().thread().copies.wait_all(here()); }
void copy_async_arrive(void* mbarrier, Site where) { here().mbarriers.arrive_after_copies(here(), mbarrier, where); }

void mbarrier_init(void* mbarrier, unsigned count, Site where) { here().mbarriers.init(here(), mbarrier, count, where); }
void mbarrier_fence() {
    Thread& self = here().thread();
    self.barriers_fenced = self.clock++;
}
void mbarrier_invalidate(void* mbarrier, Site where) { here().mbarriers.invalidate(here(), mbarrier, where); }
void mbarrier_arrive(void* mbarrier, Site where) { here().mbarriers.arrive(here(), mbarrier, where); }
void mbarrier_expect_bytes(void* mbarrier, uint32_t bytes, Site where) {
    here().mbarriers.expect_bytes(here(), mbarrier, bytes, where);
}
void mbarrier_wait(void* mbarrier, unsigned parity, Site where) { here().mbarriers.wait(here(), mbarrier, parity, where); }
bool mbarrier_test(void* mbarrier, unsigned parity, Site where) { return here().mbarriers.test(here(), mbarrier, parity, where); }

void proxy_fence() {
    Thread& self = here().thread();
    self.fenced = self.clock++;
}

void bulk_commit() { here().thread().stores.commit(); }
void bulk_wait(unsigned groups_left) { here().thread().stores.wait(here(), groups_left); }

void grid_dependency_wait() {
    Thread& self = here().thread();
    if (!self.knows_predecessor_ended) self.dependency_waited = self.clock;
    self.knows_predecessor_ended = true;
}

void set_registers(int registers, Site where) {
    here().warp().together(
        here(), "setmaxnreg", ~0u, &registers,
        [](Block& block, const Lanes& lanes) { block.warp().registers.push_back(*static_cast<int*>(lanes[0])); }, where);
}

void wgmma_fence() { here().thread().wgmma.fence(); }
void wgmma_issue(const Wgmma& operation) { here().thread().wgmma.issue(here(), operation); }
void wgmma_commit() { here().thread().wgmma.commit(); }
void wgmma_wait(unsigned groups_left, Site where) { here().thread().wgmma.wait(here(), groups_left, where); }

}  // namespace halfbyte::emulation
