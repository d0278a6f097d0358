// Global memory: one reserved range of addresses, allocations that start on pages of their own and whose bounds are exact to the
// byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace halfbyte::emulation {

struct Allocation {
    char* begin;
    size_t bytes;
    bool live;
    uint8_t* marks;  // four times `bytes`: see footprint.cpp
    const char* end() const { return begin + bytes; }
};

class DeviceMemory {
   public:
    static constexpr size_t kCapacity = size_t{16} << 30;  // what cudaMemGetInfo calls the total

    static DeviceMemory& instance();

    void* allocate(size_t bytes);  // null if there is no room
    bool free(void* memory);       // false if `memory` is no live allocation
    size_t used() const { return used_; }

    bool contains(const void* p) const { return static_cast<size_t>(static_cast<const char*>(p) - base_) < kRange; }
    // The allocation on whose pages `p` lies, live or freed; null if none ever was there.
    const Allocation* find(const void* p) const;
    bool is_valid(const void* p, size_t bytes) const;

    void clear_marks();

    // The contents of every live allocation, to run a launch again from the same state.
    using Snapshot = std::vector<std::pair<Allocation, std::vector<char>>>;
    Snapshot snapshot() const;
    static void restore(const Snapshot& snapshot);

   private:
    static constexpr size_t kRange = size_t{1} << 40;  // addresses are not used twice, so that a freed pointer stays recognizable
    static constexpr size_t kPage = 4096;

    DeviceMemory();

    char* base_;
    size_t next_ = kPage;
    size_t used_ = 0;
    uint32_t* page_owner_;  // per page: 1 + index into allocations_
    std::vector<Allocation> allocations_;
};

}  // namespace halfbyte::emulation
