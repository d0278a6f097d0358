#include "footprint.h"

#include <atomic>
#include <cstring>

#include "block.h"
#include "device_memory.h"
#include "launch.h"

namespace halfbyte::emulation {
namespace {

uint8_t g_number = 0;  // of the last launch
cudaStream_t g_stream{};
std::atomic<bool> g_has_predecessor = false;
std::atomic<bool> g_is_any = false;

// Launches mark two sets of bytes in turns, so that one's marks do not hide those of the one before.
uint8_t* marks(const Allocation& allocation, const void* p, uint8_t number, bool write) {
    const size_t plane = 2 * (number % 2) + write;
    return allocation.marks + plane * allocation.bytes + (static_cast<const char*>(p) - allocation.begin);
}

}  // namespace

Footprint begin_footprint(const cudaLaunchConfig_t& config) {
    if (g_number == UINT8_MAX) {
        DeviceMemory::instance().clear_marks();
        g_number = 0;
        g_has_predecessor = false;
    }
    Footprint footprint{.number = ++g_number};
    const bool has_predecessor = g_has_predecessor.exchange(true) && g_stream == config.stream;
    g_stream = config.stream;
    for (unsigned i = 0; i < config.numAttrs; ++i)
        if (config.attrs[i].id == cudaLaunchAttributeProgrammaticStreamSerialization)
            footprint.may_overlap = config.attrs[i].val.programmaticStreamSerializationAllowed != 0;
    footprint.is_any = g_is_any && footprint.may_overlap;
    footprint.overlaps = footprint.is_any || (has_predecessor && footprint.may_overlap);
    return footprint;
}

void assume_predecessors_use_everything(bool assume) { g_is_any = assume; }

void forget_predecessor() { g_has_predecessor = false; }

void note_access(Block& block, const Allocation& allocation, const void* p, size_t size, bool write, const void* code, Site where) {
    const Footprint& footprint = block.launch().footprint;
    // Blocks on several OS threads may write one byte, always the same value.
    std::memset(marks(allocation, p, footprint.number, write), footprint.number, size);
    if (!footprint.overlaps || block.thread().knows_predecessor_ended) return;
    const auto former = static_cast<uint8_t>(footprint.number - 1);
    const bool was_written = footprint.is_any || std::memchr(marks(allocation, p, former, true), former, size) != nullptr;
    const bool was_read = write && std::memchr(marks(allocation, p, former, false), former, size) != nullptr;
    if ((was_written || was_read) && !block.knows_predecessor_ended())
        block.fail(Fault::kOverlap, code, where,
                   "%s %zu bytes at offset %td of an allocation of %zu bytes, which the kernel before this one %s: no "
                   "grid_dependency_wait() has come first",
                   write ? "writes" : "reads", size, static_cast<const char*>(p) - allocation.begin, allocation.bytes,
                   was_written ? "writes" : "reads");
}

void note_read_only(Block& block, const Allocation& allocation, const void* p, size_t size, Site where) {
    const Footprint& footprint = block.launch().footprint;
    const auto wrote = [&](uint8_t number) { return std::memchr(marks(allocation, p, number, true), number, size) != nullptr; };
    const bool is_own = wrote(footprint.number);
    if (is_own || footprint.is_any || (footprint.overlaps && wrote(static_cast<uint8_t>(footprint.number - 1))))
        block.fail(Fault::kReadOnlyPath, nullptr, where,
                   "reads %zu bytes at offset %td of an allocation of %zu bytes by the read-only path, which %s writes", size,
                   static_cast<const char*>(p) - allocation.begin, allocation.bytes,
                   is_own ? "this kernel" : "the kernel that this one overlaps");
}

}  // namespace halfbyte::emulation
