// A fiber: a stack of its own and the point where it was left. A few nanoseconds to switch, so that each CUDA thread can be one.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <vector>

namespace halfbyte::emulation {

// Boost.Context's lowest layer: its fiber class unwinds abandoned stacks by an exception, and a kernel that committed a fault is
// abandoned at a point through which nothing may be thrown.
using Context = boost::context::detail::fcontext_t;
using Transfer = boost::context::detail::transfer_t;

// Stacks are kept by the OS thread that runs blocks and used again by each block. The page below each is a guard.
class StackPool {
   public:
    static constexpr size_t kBytes = 128 * 1024;

    StackPool() = default;
    StackPool(const StackPool&) = delete;
    StackPool& operator=(const StackPool&) = delete;
    ~StackPool();

    char* bottom(size_t index);  // lowest address of stack `index`

   private:
    std::vector<char*> stacks_;
};

}  // namespace halfbyte::emulation
