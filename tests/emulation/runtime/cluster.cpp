#include "cluster.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

#include "block.h"
#include "instructions.h"
#include "launch.h"

namespace halfbyte::emulation {

// ---- barrier -------------------------------------------------------------------------------------------------------------------

void ClusterBarrier::reset(unsigned threads, unsigned clocks) {
    threads_ = missing_ = threads;
    released_ = completed_ = Seen(clocks);
}

void ClusterBarrier::arrive(Block& block, bool releases, Site where) {
    Thread& self = block.thread();
    if (self.awaits_cluster)
        block.fail(Fault::kDivergentBarrier, nullptr, where, "arrives at the cluster barrier again without having waited");
    self.awaits_cluster = true;
    self.cluster_phase = phase_;
    if (releases) released_.join(self.seen);
    arrived_.push_back({self.number, releases ? self.clock++ : Thread::kBegun});
    --missing_;
    complete_if_all_came(block);
}

void ClusterBarrier::wait(Block& block, Site where) {
    Thread& self = block.thread();
    if (!self.awaits_cluster)
        block.fail(Fault::kDivergentBarrier, nullptr, where, "waits in the cluster barrier without having arrived at it");
    if (self.cluster_phase == phase_) {
        waiting_.push_back(&self);
        block.suspend("a cluster barrier", where);
    }
    self.awaits_cluster = false;
    block.acquire(completed_);  // of this phase still: the next one completes only after every thread has passed here
}

void ClusterBarrier::leave(Block& block) {
    --threads_;
    if (block.thread().cluster_phase == phase_) return;
    --missing_;
    complete_if_all_came(block);
}

void ClusterBarrier::complete_if_all_came(Block& block) {
    if (missing_ != 0) return;
    released_.add(arrived_);
    arrived_.clear();
    completed_ = released_;
    missing_ = threads_;
    ++phase_;
    Cluster& cluster = block.cluster();
    for (unsigned rank = 0; rank < cluster.size(); ++rank) {
        std::vector<Thread*> of_block;
        for (Thread* thread : waiting_)
            if (thread->number / block.clocks_per_block() == rank) of_block.push_back(thread);
        cluster.block(rank).wake(of_block);
    }
    waiting_.clear();
}

// ---- blocks --------------------------------------------------------------------------------------------------------------------

Cluster::Cluster(Launch& launch, std::vector<std::unique_ptr<Block>> blocks, dim3 first)
    : launch_(launch), blocks_(std::move(blocks)), order_(blocks_.size()) {
    for (unsigned rank = 0; rank < size(); ++rank) blocks_[rank]->prepare(launch, *this, rank, {first.x + rank, first.y, first.z});
    barrier.reset(size() * block(0).size(), size() * block(0).clocks_per_block());
    std::iota(order_.begin(), order_.end(), 0u);
    if (launch.order.kind == Order::kReverse) std::reverse(order_.begin(), order_.end());
    if (launch.order.kind == Order::kRandom)
        std::shuffle(order_.begin(), order_.end(), std::mt19937_64(launch.order.seed + first.x));
}

Cluster::~Cluster() = default;

bool Cluster::run() {
    for (;;) {
        bool ran = false, paused = false, left = false;
        for (const unsigned rank : order_) {
            Block& block = *blocks_[rank];
            // Another block may have sent what all threads of this one wait for.
            if (!block.others_can_run()) block.mbarriers.land_awaited(block);
            if (block.others_can_run()) {
                ran = true;
                paused = block.run() == Block::Stop::kPaused || paused;
                if (launch_.failed) return true;
            }
            left = left || !block.has_ended();
        }
        if (!left) return true;
        if (paused) return false;
        if (!ran) {
            report_deadlock();
            return true;
        }
    }
}

void Cluster::report_deadlock() {
    std::string what;
    for (const auto& block : blocks_)
        if (!block->has_ended())
            what += (what.empty() ? ", " : "; ") + block->name() + (what.empty() ? ": deadlock: " : ": ") + block->who_waits();
    launch_.fail({Fault::kDeadlock, launch_.name() + what});
}

Cluster::Place Cluster::place(Block& block, uint32_t address, Site where) {
    const unsigned block_number = address >> kOffsetBits;
    const uint32_t offset = address & ((1u << kOffsetBits) - 1);
    if (block_number == 0) return {block, offset};
    if (block_number > size())
        block.fail(Fault::kSharedOutOfBounds, nullptr, where, "accesses address %08x, which is no block's of this cluster",
                   address);
    Block& owner = *blocks_[block_number - 1];
    if (&owner != &block) owner.note_visitor(block, where);
    return {owner, offset};
}

// ---- instructions --------------------------------------------------------------------------------------------------------------

namespace {

Block& here() { return *Block::current(); }

// The .aligned of both halves of the barrier: all lanes of the warp, at one place.
void together(const char* instruction, Site where) {
    Block& block = here();
    const unsigned lanes = std::min(32u, block.size() - block.thread().warp() * 32);
    block.warp().together(
        block, instruction, ~0u >> (32 - lanes), nullptr, [](Block&, const Lanes&) {}, where);
}

}  // namespace

uint32_t cluster_rank() { return here().cluster_rank(); }
uint32_t cluster_size() { return here().cluster().size(); }

namespace {
void arrive(bool releases, Site where) {
    together("barrier.cluster.arrive", where);
    if (here().thread().lane() == 0) ++here().counters.counts.barriers;
    here().cluster().barrier.arrive(here(), releases, where);
}
}  // namespace

void cluster_arrive(Site where) { arrive(true, where); }
void cluster_arrive_relaxed(Site where) { arrive(false, where); }

void cluster_wait(Site where) {
    together("barrier.cluster.wait", where);
    here().cluster().barrier.wait(here(), where);
}

uint32_t cluster_address(const void* shared, uint32_t rank, Site where) {
    Block& block = here();
    if (rank >= block.cluster().size() || !block.shared.contains(shared))
        block.fail(Fault::kInvalidInstruction, nullptr, where, "mapa of %p to block %u of a cluster of %u", shared, rank,
                   block.cluster().size());
    return (rank + 1) << Cluster::kOffsetBits | block.shared.offset(shared);
}

void cluster_load(void* to, uint32_t address, unsigned size, Site where) {
    const auto [owner, offset] = here().cluster().place(here(), address, where);
    owner.shared.read(here(), offset, size, false, nullptr, where);
    std::memcpy(to, owner.shared.base() + offset, size);
}

void cluster_store(uint32_t address, const void* from, unsigned size, Site where) {
    const auto [owner, offset] = here().cluster().place(here(), address, where);
    owner.shared.write(here(), offset, size, false, nullptr, where);
    std::memcpy(owner.shared.base() + offset, from, size);
}

void mbarrier_arrive_cluster(uint32_t address, Site where) {
    const auto [owner, offset] = here().cluster().place(here(), address, where);
    owner.mbarriers.arrive_from(owner, here(), offset, where);
}

}  // namespace halfbyte::emulation
