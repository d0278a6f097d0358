// wgmma: matrix products of four warps, issued now, executed when waited for.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "report.h"

namespace halfbyte::emulation {

class Block;

enum class WgmmaType : uint8_t { kFloat16, kBFloat16, kInt8 };

// D[64, n] = A[64, k] * B[k, n] (+ D), k = 32 bytes of elements. One thread's part.
struct Wgmma {
    WgmmaType type;
    unsigned n;
    void* d;  // n / 2 accumulators of 4 bytes, which the thread must not touch until it has waited
    bool a_in_registers;
    std::array<uint32_t, 4> a;  // fragment, if so
    uint64_t a_descriptor, b_descriptor;
    bool accumulate, negate_a, negate_b, a_mn_major, b_mn_major;
    Site where;
};

class WgmmaQueue {
   public:
    void fence() { fenced_ = a_fenced_ = true; }
    void issue(Block& block, const Wgmma& operation);
    void commit();
    void wait(Block& block, unsigned groups_left, Site where);
    bool any_left() const { return !open_.empty() || !groups_.empty(); }

   private:
    struct Pending {
        Wgmma operation;
        std::vector<uint32_t> d;  // the accumulators as they were when this chain of products was issued
    };
    friend void execute_wgmma(Block& block, unsigned groups_left);

    bool fenced_ = false;
    bool a_fenced_ = false;  // since the last group: registers of A may have been written in between
    std::vector<Pending> open_;
    std::deque<std::vector<Pending>> groups_;
};

}  // namespace halfbyte::emulation
