#include "counters.h"

#include <algorithm>
#include <set>

namespace halfbyte::emulation {

Wavefronts wavefronts(std::span<const uint32_t> offsets, unsigned size) {
    const size_t together = size == 16 ? 8 : size == 8 ? 16 : 32;  // lanes per pass at best
    Wavefronts result{0, 0};
    for (size_t first = 0; first < offsets.size(); first += together) {
        std::array<std::set<uint32_t>, 32> words;  // distinct words per bank
        for (size_t lane = first; lane < std::min(first + together, offsets.size()); ++lane)
            for (uint32_t word = offsets[lane] / 4; word <= (offsets[lane] + size - 1) / 4; ++word) words[word % 32].insert(word);
        size_t most = 0;
        for (const auto& bank : words) most = std::max(most, bank.size());
        result.taken += static_cast<int>(most);
        result.fewest += 1;
    }
    return result;
}

void BlockCounters::reset(bool count, unsigned threads) {
    on = count;
    counts = {};
    permute_lanes_ = logic_lanes_ = atomic_lanes_ = 0;
    accesses_.assign(count ? (threads + 31) / 32 : 0, {});
    repetitions_.assign(count ? threads : 0, {});
}

void BlockCounters::memory(unsigned thread, const void* code, bool shared, bool write, uint64_t address, unsigned size) {
    if (!on) return;
    const unsigned repetition = repetitions_[thread][code]++;
    Access& access = accesses_[thread / 32][{repetition, code}];
    access.shared = shared;
    access.write = write;
    access.size = size;
    access.lanes.emplace_back(thread, address);
}

void BlockCounters::ldmatrix(std::span<const uint32_t> row_offsets, bool store) {
    if (!on) return;
    for (size_t matrix = 0; matrix < row_offsets.size(); matrix += 8) {
        const Wavefronts passes = wavefronts(row_offsets.subspan(matrix, 8), 16);
        counts.shared_wavefronts += passes.taken;
        counts.bank_conflicts += passes.taken - passes.fewest;
    }
    ++(store ? counts.stmatrix : counts.ldmatrix);
}

void BlockCounters::flush() {
    for (unsigned warp = 0; warp < accesses_.size(); ++warp) flush(warp);
    count_instructions(31);
}

// Of each 32 lanes one; `more` than there are, so that a part of a warp counts as one too.
void BlockCounters::count_instructions(int64_t more) {
    const auto per_warp = [more](int64_t& lanes) {
        const int64_t warps = (lanes + more) / 32;
        lanes = more == 0 ? lanes % 32 : 0;
        return warps;
    };
    counts.permutes += per_warp(permute_lanes_);
    counts.logic += per_warp(logic_lanes_);
    counts.atomics += per_warp(atomic_lanes_);
}

void BlockCounters::flush(unsigned warp) {
    if (!on) return;
    for (auto& [key, access] : accesses_[warp]) {
        std::sort(access.lanes.begin(), access.lanes.end());  // threads may have run in any order
        if (access.shared) {
            std::vector<uint32_t> offsets;
            for (const auto& [thread, address] : access.lanes) offsets.push_back(static_cast<uint32_t>(address));
            const Wavefronts passes = wavefronts(offsets, access.size);
            counts.shared_wavefronts += passes.taken;
            counts.bank_conflicts += passes.taken - passes.fewest;
            ++(access.write ? counts.shared_stores : counts.shared_loads);
        } else {
            std::set<uint64_t> sectors;
            for (const auto& [thread, address] : access.lanes)
                for (uint64_t sector = address / 32; sector <= (address + access.size - 1) / 32; ++sector) sectors.insert(sector);
            counts.global_sectors += static_cast<int64_t>(sectors.size());
            ++(access.write ? counts.global_stores : counts.global_loads);
            (access.write ? counts.global_store_bytes : counts.global_load_bytes) +=
                static_cast<int64_t>(access.size * access.lanes.size());
        }
    }
    accesses_[warp].clear();
    for (size_t thread = 32 * warp; thread < std::min<size_t>(32 * (warp + 1), repetitions_.size()); ++thread)
        repetitions_[thread].clear();
    // Other warps may be half way through theirs.
    count_instructions(0);
}

void add(Counts& total, const Counts& part) {
    // Counts is int64_t fields and nothing else.
    static_assert(sizeof(Counts) % sizeof(int64_t) == 0);
    auto* to = reinterpret_cast<int64_t*>(&total);
    const auto* from = reinterpret_cast<const int64_t*>(&part);
    for (size_t i = 0; i < sizeof(Counts) / sizeof(int64_t); ++i) to[i] += from[i];
}

}  // namespace halfbyte::emulation
