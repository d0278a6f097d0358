#include "shared_memory.h"

#include <sys/mman.h>

#include <cstring>
#include <new>
#include <utility>

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

void SharedMemory::reset(size_t bytes, std::string name) {
    bytes_ = bytes;
    name_ = std::move(name);
    for (size_t i = 0; i < bytes; i += 4) std::memcpy(base_ + i, &kNoise, 4);
    std::fill_n(cells_.get(), bytes, Cell{0, 0, kNobody, kNobody});
}

void SharedMemory::check_range(Block& block, uint32_t offset, size_t size, const char* what, const void* code, Site where) {
    if (offset + size > bytes_)
        block.fail(Fault::kSharedOutOfBounds, code, where, "%s %zu bytes at offset %u of %zu bytes of %s", what, size, offset,
                   bytes_, name_.c_str());
    if (size <= 16 && (size & (size - 1)) == 0 && offset % size != 0)
        block.fail(Fault::kMisaligned, code, where, "%s %zu bytes at offset %u of %s, no multiple of %zu", what, size, offset,
                   name_.c_str(), size);
}

void SharedMemory::read(Block& block, uint32_t offset, size_t size, bool atomic, const void* code, Site where) {
    check_range(block, offset, size, "reads", code, where);
    Thread& self = block.thread();
    for (uint32_t i = offset; i < offset + size; ++i) {
        Cell& cell = cells_[i];
        const unsigned writer = cell.writer & ~kAtomic;
        if (cell.writer == kNobody)
            block.fail(Fault::kUninitializedShared, code, where, "reads byte %u of %s, which nobody wrote", i, name_.c_str());
        if (cell.writer == kUnderWay)
            block.fail(Fault::kNotWaitedFor, code, where, "reads byte %u of %s, to which a copy is still under way", i,
                       name_.c_str());
        if (writer != self.number && !(atomic && (cell.writer & kAtomic)) && !self.seen.includes(writer, cell.written_at))
            block.fail(Fault::kRace, code, where, "reads byte %u of %s, which %s wrote without a barrier in between", i,
                       name_.c_str(), block.name_of_number(writer).c_str());
        cell.reader = static_cast<uint16_t>(self.number | (atomic ? kAtomic : 0));
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
            block.fail(Fault::kNotWaitedFor, code, where, "writes byte %u of %s, to which a copy is still under way", i,
                       name_.c_str());
        if (cell.writer != kNobody && writer != self.number && !(atomic && (cell.writer & kAtomic)) &&
            !self.seen.includes(writer, cell.written_at))
            block.fail(Fault::kRace, code, where, "writes byte %u of %s, which %s wrote without a barrier in between", i,
                       name_.c_str(), block.name_of_number(writer).c_str());
        if (cell.reader != kNobody && reader != self.number && !(atomic && (cell.reader & kAtomic)) &&
            !self.seen.includes(reader, cell.read_at))
            block.fail(Fault::kRace, code, where, "writes byte %u of %s, which %s read without a barrier in between", i,
                       name_.c_str(), block.name_of_number(reader).c_str());
        cell = {self.clock, 0, static_cast<uint16_t>(self.number | (atomic ? kAtomic : 0)), kNobody};
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
    unsigned last = kNobody;
    const Thread* thread = nullptr;  // number `last`
    for (uint32_t i = offset; i < offset + size; ++i) {
        Cell& cell = cells_[i];
        const unsigned writer = cell.writer & ~kAtomic;
        if (cell.writer == kNobody)
            block.fail(Fault::kUninitializedShared, nullptr, where, "%s reads byte %u of %s, which nobody wrote", instruction, i,
                       name_.c_str());
        if (cell.writer == kUnderWay)
            block.fail(Fault::kNotWaitedFor, nullptr, where, "%s reads byte %u of %s, to which a copy is still under way",
                       instruction, i, name_.c_str());
        if (writer != self.number && !self.seen.includes(writer, cell.written_at))
            block.fail(Fault::kRace, nullptr, where, "%s reads byte %u of %s, which %s wrote without a barrier in between",
                       instruction, i, name_.c_str(), block.name_of_number(writer).c_str());
        if (writer != last) thread = block.find(last = writer);
        if (thread != nullptr && cell.written_at > thread->fenced)
            block.fail(Fault::kMissingProxyFence, nullptr, where,
                       "%s reads byte %u of %s, which %s wrote without fence.proxy.async after it", instruction, i, name_.c_str(),
                       block.name_of_number(writer).c_str());
        cell.reader = static_cast<uint16_t>(self.number);
        cell.read_at = self.clock;
    }
}

}  // namespace halfbyte::emulation
