// Counting what a kernel does, and the bank conflicts of its shared-memory accesses.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../emulation.h"

namespace halfbyte::emulation {

// Passes over the 32 banks of 4 bytes that the lanes' accesses of `size` bytes at `offsets` take, and the fewest possible. Lanes
// that touch the same word share it. 8-byte accesses are served by half warps, 16-byte accesses by quarter warps.
struct Wavefronts {
    int taken, fewest;
};
Wavefronts wavefronts(std::span<const uint32_t> offsets, unsigned size);

class BlockCounters {
   public:
    bool on = false;
    Counts counts;

    void reset(bool count, unsigned threads);

    // One lane's load or store at the instruction `code`. The lanes of a warp run one after another here, so what is one
    // instruction on a GPU is put together again: the k-th time each lane of a warp executes `code` since the last barrier.
    void memory(unsigned thread, const void* code, bool shared, bool write, uint64_t address, unsigned size);
    void ldmatrix(std::span<const uint32_t> row_offsets, bool store);
    void flush(unsigned warp);  // where its lanes meet: what other warps are in the middle of stays together
    void flush();               // at the end

    // Per-lane instructions; a warp's worth of them counts once.
    void permute() { ++permute_lanes_; }
    void logic() { ++logic_lanes_; }
    void atomic() { ++atomic_lanes_; }

   private:
    void count_instructions(int64_t more);

    struct Access {
        bool shared, write;
        unsigned size;
        std::vector<std::pair<unsigned, uint64_t>> lanes;  // {thread, address}
    };
    struct Key {
        unsigned repetition;
        const void* code;
        bool operator==(const Key&) const = default;
    };
    struct Hash {
        size_t operator()(const Key& key) const { return reinterpret_cast<size_t>(key.code) * 1000003 + key.repetition; }
    };
    std::vector<std::unordered_map<Key, Access, Hash>> accesses_;         // per warp
    std::vector<std::unordered_map<const void*, unsigned>> repetitions_;  // per thread
    int64_t permute_lanes_ = 0, logic_lanes_ = 0, atomic_lanes_ = 0;
};

void add(Counts& total, const Counts& part);

}  // namespace halfbyte::emulation
