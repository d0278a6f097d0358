#include "shared_memory.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

#include "block.h"

namespace halfbyte::emulation {
namespace {
constexpr uint32_t kNoise = 0xffbadbad;  // a NaN for float; neither zero nor small for anything else
constexpr size_t kGuard = 64 * 1024;     // around the window: no allocation of the host comes near it
}  // namespace

SharedMemory::SharedMemory() {
    void* memory = mmap(nullptr, kWindow + 2 * kGuard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<char*>(memory) + kGuard;  // page-aligned, so swizzles that repeat every 1024 bytes start at 0 as on a GPU
    mprotect(base_, kWindow, PROT_READ | PROT_WRITE);
    cells_ = std::make_unique_for_overwrite<Cell[]>(kWindow);
}

SharedMemory::~SharedMemory() { munmap(base_ - kGuard, kWindow + 2 * kGuard); }

void SharedMemory::reset(size_t bytes) {
    bytes_ = bytes;
    for (size_t i = 0; i < bytes; i += 4) std::memcpy(base_ + i, &kNoise, 4);
    std::fill_n(cells_.get(), bytes, Cell{0, 0, kNobody, kNobody});
}

void SharedMemory::check_range(Block& block, uint32_t offset, size_t size, const char* what, const void* code, Site where) {
    if (offset + size > bytes_)
        block.fail(Fault::kSharedOutOfBounds, code, where, "%s %zu bytes at offset %u of %zu bytes of shared memory", what, size,
                   offset, bytes_);
    if (size <= 16 && (size & (size - 1)) == 0 && offset % size != 0)
        block.fail(Fault::kMisaligned, code, where, "%s %zu bytes at offset %u of shared memory, no multiple of %zu", what, size,
                   offset, size);
}

void SharedMemory::read(Block& block, uint32_t offset, size_t size, bool atomic, const void* code, Site where) {
    check_range(block, offset, size, "reads", code, where);
    Thread& self = block.thread();
    for (uint32_t i = offset; i < offset + size; ++i) {
        Cell& cell = cells_[i];
        const unsigned writer = cell.writer & ~kAtomic;
        if (cell.writer == kNobody)
            block.fail(Fault::kUninitializedShared, code, where, "reads byte %u of shared memory, which nobody wrote", i);
        if (cell.writer == kUnderWay)
            block.fail(Fault::kNotWaitedFor, code, where, "reads byte %u of shared memory, to which a copy is still under way", i);
        if (writer != self.rank && !(atomic && (cell.writer & kAtomic)) && !self.seen.includes(writer, cell.written_at))
            block.fail(Fault::kRace, code, where, "reads byte %u of shared memory, which %s wrote without a barrier in between", i,
                       block.name_of(writer).c_str());
        cell.reader = static_cast<uint16_t>(self.rank | (atomic ? kAtomic : 0));
        cell.read_at = self.clock;
    }
}

void SharedMemory::write(Block& block, uint32_t offset, size_t size, bool atomic, const void* code, Site where) {
    check_range(block, offset, size, "writes", code, where);
    Thread& self = block.thread();
    for (uint32_t i = offset; i < offset + size; ++i) {
        Cell& cell = cells_[i];
        const unsigned writer = cell.writer & ~kAtomic, reader = cell.reader & ~kAtomic;
        if (cell.writer == kUnderWay)
            block.fail(Fault::kNotWaitedFor, code, where, "writes byte %u of shared memory, to which a copy is still under way", i);
        if (cell.writer != kNobody && writer != self.rank && !(atomic && (cell.writer & kAtomic)) &&
            !self.seen.includes(writer, cell.written_at))
            block.fail(Fault::kRace, code, where, "writes byte %u of shared memory, which %s wrote without a barrier in between", i,
                       block.name_of(writer).c_str());
        if (cell.reader != kNobody && reader != self.rank && !(atomic && (cell.reader & kAtomic)) &&
            !self.seen.includes(reader, cell.read_at))
            block.fail(Fault::kRace, code, where, "writes byte %u of shared memory, which %s read without a barrier in between", i,
                       block.name_of(reader).c_str());
        cell = {self.clock, 0, static_cast<uint16_t>(self.rank | (atomic ? kAtomic : 0)), kNobody};
    }
}

void SharedMemory::begin_copy(Block& block, uint32_t offset, size_t size, Site where) {
    if (size == 0) return;
    write(block, offset, size, false, nullptr, where);
    for (uint32_t i = offset; i < offset + size; ++i) cells_[i].writer = kUnderWay;
}

void SharedMemory::land_copy(uint32_t offset, const void* source, size_t size, unsigned writer, uint32_t clock) {
    if (source != nullptr) std::memcpy(base_ + offset, source, size);
    else std::memset(base_ + offset, 0, size);
    std::fill_n(cells_.get() + offset, size, Cell{clock, 0, static_cast<uint16_t>(writer), kNobody});
}

void SharedMemory::async_read(Block& block, uint32_t offset, size_t size, const char* instruction, Site where) {
    check_range(block, offset, size, instruction, nullptr, where);
    Thread& self = block.thread();
    for (uint32_t i = offset; i < offset + size; ++i) {
        Cell& cell = cells_[i];
        const unsigned writer = cell.writer & ~kAtomic;
        if (cell.writer == kNobody)
            block.fail(Fault::kUninitializedShared, nullptr, where, "%s reads byte %u of shared memory, which nobody wrote",
                       instruction, i);
        if (cell.writer == kUnderWay)
            block.fail(Fault::kNotWaitedFor, nullptr, where,
                       "%s reads byte %u of shared memory, to which a copy is still under way", instruction, i);
        if (writer != self.rank && !self.seen.includes(writer, cell.written_at))
            block.fail(Fault::kRace, nullptr, where,
                       "%s reads byte %u of shared memory, which %s wrote without a barrier in between", instruction, i,
                       block.name_of(writer).c_str());
        if (writer < block.size() && cell.written_at > block.thread(writer).fenced)
            block.fail(Fault::kMissingProxyFence, nullptr, where,
                       "%s reads byte %u of shared memory, which %s wrote without fence.proxy.async after it", instruction, i,
                       block.name_of(writer).c_str());
        cell.reader = static_cast<uint16_t>(self.rank);
        cell.read_at = self.clock;
    }
}

}  // namespace halfbyte::emulation
