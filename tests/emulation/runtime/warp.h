// Instructions that the lanes of a warp execute together: shuffles, votes, ldmatrix, mma.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "report.h"

namespace halfbyte::emulation {

class Block;
struct Thread;

// The operands of the lanes that take part; null for those that do not.
using Lanes = std::array<void*, 32>;

class Warp {
   public:
    void reset(unsigned first, unsigned lanes);

    // The running lane joins `instruction` of the lanes in `mask` with its `operands`. When the last lane has joined, `execute`
    // runs once over all of them. Returns after that.
    void together(Block& block, const char* instruction, uint32_t mask, void* operands, void (*execute)(Block&, const Lanes&),
                  Site where);

    // As above; the lanes have also seen each other's memory accesses (__syncwarp alone promises that).
    void sync(Block& block, uint32_t mask, Site where);

    // The running lane has left the kernel.
    void leave(Block& block);

    std::vector<int> registers;  // operands of its setmaxnreg instructions: the four warps of a warpgroup must have the same

   private:
    struct Gathering {
        const char* instruction;
        uint32_t mask, joined;
        Site where;
    };
    bool join(Block& block, const char* instruction, uint32_t mask, void* operands, Site where);
    void complete(Block& block, uint32_t mask, bool synchronize);

    unsigned first_ = 0, lanes_ = 0;  // rank of lane 0; lanes the block has in this warp
    std::vector<Gathering> gatherings_;
};

}  // namespace halfbyte::emulation
