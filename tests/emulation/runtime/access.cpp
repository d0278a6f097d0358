// Kernels are compiled with -fsanitize=thread, which makes the compiler call __tsan_read4(address) and the like before each load
// and store through a pointer. Not the sanitizer's runtime but this file answers those calls: kernel text stays as it is on a
// GPU, and no access escapes. Variables that never leave a thread's registers are not reported by the compiler.
#include "access.h"

#include <dlfcn.h>
#include <link.h>

#include <bit>
#include <utility>
#include <vector>

#include "block.h"
#include "device_memory.h"
#include "footprint.h"
#include "special_registers.h"

namespace halfbyte::emulation {
namespace {

// Memory that belongs to the program's image: __device__ and __constant__ variables.
struct Segments {
    std::vector<std::pair<const char*, const char*>> ranges;

    Segments() {
        dl_iterate_phdr(
            [](dl_phdr_info* info, size_t, void* self) {
                for (int i = 0; i < info->dlpi_phnum; ++i) {
                    const auto& header = info->dlpi_phdr[i];
                    if (header.p_type != PT_LOAD) continue;
                    const auto* begin = reinterpret_cast<const char*>(info->dlpi_addr + header.p_vaddr);
                    static_cast<Segments*>(self)->ranges.emplace_back(begin, begin + header.p_memsz);
                }
                return 0;
            },
            this);
    }
    bool contain(const void* p) const {
        for (const auto& [begin, end] : ranges)
            if (p >= begin && p < end) return true;
        return false;
    }
};

void check_elsewhere(Block& block, const void* p, size_t size, bool write, const void* code, Site where) {
    // threadIdx and its kin belong to the OS thread.
    for (const void* special : {static_cast<const void*>(&threadIdx), static_cast<const void*>(&blockIdx),
                                static_cast<const void*>(&blockDim), static_cast<const void*>(&gridDim)})
        if (static_cast<size_t>(static_cast<const char*>(p) - static_cast<const char*>(special)) < sizeof(dim3)) return;
    static const Segments segments;
    if (!segments.contain(p) && !block.is_argument(p))
        block.fail(Fault::kNotDeviceMemory, code, where, "%s %zu bytes at %p, which is neither device memory nor the thread's own",
                   write ? "writes" : "reads", size, p);
}

}  // namespace

void check_global(Block& block, const void* p, size_t size, bool write, const void* code, Site where) {
    const DeviceMemory& memory = DeviceMemory::instance();
    const char* verb = write ? "writes" : "reads";
    if (!memory.contains(p))
        block.fail(Fault::kNotDeviceMemory, code, where, "%s %zu bytes at %p, which is not global memory", verb, size, p);
    const Allocation* allocation = memory.find(p);
    if (allocation == nullptr)
        block.fail(Fault::kGlobalOutOfBounds, code, where, "%s %zu bytes at %p, between allocations", verb, size, p);
    const auto* at = static_cast<const char*>(p);
    if (!allocation->live)
        block.fail(Fault::kGlobalOutOfBounds, code, where,
                   "%s %zu bytes at offset %td of an allocation of %zu bytes that was freed", verb, size, at - allocation->begin,
                   allocation->bytes);
    if (at + size > allocation->end())
        block.fail(Fault::kGlobalOutOfBounds, code, where, "%s %zu bytes at offset %td of an allocation of %zu bytes", verb, size,
                   at - allocation->begin, allocation->bytes);
    // Other sizes are a part of an asynchronous copy, which has an alignment of its own.
    if (size <= 16 && std::has_single_bit(size) && reinterpret_cast<uintptr_t>(p) % size != 0)
        block.fail(Fault::kMisaligned, code, where, "%s %zu bytes at %p, no multiple of %zu", verb, size, p, size);
    note_access(block, *allocation, p, size, write, code, where);
}

void access(Block& block, const void* p, size_t size, bool write, bool atomic, const void* code, Site where) {
    thread_local unsigned ticks = 0;
    if (++ticks % 65536 == 0) {  // perhaps it polls by ordinary loads
        block.check_progress();
        block.poll();
    }
    Thread& self = block.thread();
    if (block.shared.contains(p)) {
        const uint32_t offset = block.shared.offset(p);
        if (write) block.shared.write(block, offset, size, atomic, code, where);
        else block.shared.read(block, offset, size, atomic, code, where);
        block.counters.memory(self.rank, code, true, write, offset, static_cast<unsigned>(size));
        return;
    }
    if (static_cast<size_t>(static_cast<const char*>(p) - self.stack) < StackPool::kBytes) return;  // local memory
    if (DeviceMemory::instance().contains(p)) {
        check_global(block, p, size, write, code, where);
        block.counters.memory(self.rank, code, false, write, reinterpret_cast<uint64_t>(p), static_cast<unsigned>(size));
        return;
    }
    check_elsewhere(block, p, size, write, code, where);
}

}  // namespace halfbyte::emulation

// ---- what the compiler calls ---------------------------------------------------------------------------------------------------

namespace {
inline void observe(const void* p, size_t size, bool write, const void* code) {
    using namespace halfbyte::emulation;
    if (Block* block = Block::current()) access(*block, p, size, write, false, code, Site());
}
}  // namespace

#define OBSERVE(size)                                                                                   \
    void __tsan_read##size(void* p) { observe(p, size, false, __builtin_return_address(0)); }           \
    void __tsan_write##size(void* p) { observe(p, size, true, __builtin_return_address(0)); }           \
    void __tsan_unaligned_read##size(void* p) { observe(p, size, false, __builtin_return_address(0)); } \
    void __tsan_unaligned_write##size(void* p) { observe(p, size, true, __builtin_return_address(0)); } \
    void __tsan_volatile_read##size(void* p) { observe(p, size, false, __builtin_return_address(0)); }  \
    void __tsan_volatile_write##size(void* p) { observe(p, size, true, __builtin_return_address(0)); }

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_read_range(void* p, size_t size) { observe(p, size, false, __builtin_return_address(0)); }
void __tsan_write_range(void* p, size_t size) { observe(p, size, true, __builtin_return_address(0)); }
OBSERVE(1)
OBSERVE(2)
OBSERVE(4)
OBSERVE(8)
OBSERVE(16)

// Of host code that lies in the same file as a kernel: std::atomic, and the guards of static variables.
#define ATOMIC(bits, type)                                                                                        \
    type __tsan_atomic##bits##_load(const volatile type* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); } \
    void __tsan_atomic##bits##_store(volatile type* p, type value, int) { __atomic_store_n(p, value, __ATOMIC_SEQ_CST); }
ATOMIC(8, unsigned char)
ATOMIC(32, unsigned)
ATOMIC(64, unsigned long)
}
