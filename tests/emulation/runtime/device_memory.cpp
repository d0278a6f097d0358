#include "device_memory.h"

#include <sys/mman.h>

#include <cstring>
#include <mutex>
#include <new>
#include <utility>

namespace halfbyte::emulation {
namespace {

// Guards changes. Kernels look things up without it: a correct program does not free what a kernel uses, and launches are
// synchronous here.
std::mutex g_mutex;

void* reserve(size_t bytes, int protection) {
    void* memory = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return memory;
}

}  // namespace

DeviceMemory& DeviceMemory::instance() {
    static DeviceMemory memory;
    return memory;
}

DeviceMemory::DeviceMemory()
    : base_(static_cast<char*>(reserve(kRange, PROT_NONE))),
      page_owner_(static_cast<uint32_t*>(reserve(kRange / kPage * sizeof(uint32_t), PROT_READ | PROT_WRITE))) {
    allocations_.reserve(1 << 20);  // never moves, so that looking up needs no lock
}

void* DeviceMemory::allocate(size_t bytes) {
    const std::lock_guard lock(g_mutex);
    const size_t pages = (bytes + kPage - 1) / kPage;
    if (bytes == 0 || used_ + bytes > kCapacity || next_ + (pages + 1) * kPage > kRange ||
        allocations_.size() == allocations_.capacity())
        return nullptr;
    char* begin = base_ + next_;
    void* marks = mmap(nullptr, 4 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (marks == MAP_FAILED || mprotect(begin, pages * kPage, PROT_READ | PROT_WRITE) != 0) return nullptr;
    std::memset(begin, 0xff, pages * kPage);  // a NaN for every float format, -1 for integers: nothing that looks like a result
    allocations_.push_back({begin, bytes, true, static_cast<uint8_t*>(marks)});
    std::fill_n(page_owner_ + next_ / kPage, pages, static_cast<uint32_t>(allocations_.size()));
    next_ += (pages + 1) * kPage;  // one page between two allocations stays without access
    used_ += bytes;
    return begin;
}

bool DeviceMemory::free(void* memory) {
    const std::lock_guard lock(g_mutex);
    auto* allocation = const_cast<Allocation*>(find(memory));
    if (allocation == nullptr || !allocation->live || allocation->begin != memory) return false;
    const size_t bytes = (allocation->bytes + kPage - 1) / kPage * kPage;
    madvise(memory, bytes, MADV_DONTNEED);
    mprotect(memory, bytes, PROT_NONE);
    munmap(allocation->marks, 4 * allocation->bytes);
    allocation->live = false;
    used_ -= allocation->bytes;
    return true;
}

const Allocation* DeviceMemory::find(const void* p) const {
    if (!contains(p)) return nullptr;
    const uint32_t owner = page_owner_[(static_cast<const char*>(p) - base_) / kPage];
    return owner == 0 ? nullptr : &allocations_[owner - 1];
}

bool DeviceMemory::is_valid(const void* p, size_t bytes) const {
    const Allocation* allocation = find(p);
    return allocation != nullptr && allocation->live && static_cast<const char*>(p) + bytes <= allocation->end();
}

void DeviceMemory::clear_marks() {
    const std::lock_guard lock(g_mutex);
    for (const Allocation& allocation : allocations_)
        if (allocation.live) madvise(allocation.marks, 4 * allocation.bytes, MADV_DONTNEED);
}

DeviceMemory::Snapshot DeviceMemory::snapshot() const {
    Snapshot result;
    for (const Allocation& allocation : allocations_)
        if (allocation.live)
            result.emplace_back(allocation, std::vector<char>(allocation.begin, allocation.begin + allocation.bytes));
    return result;
}

void DeviceMemory::restore(const Snapshot& snapshot) {
    for (const auto& [allocation, bytes] : snapshot) std::memcpy(allocation.begin, bytes.data(), bytes.size());
}

}  // namespace halfbyte::emulation
