// The shared memory of the block that runs, and for each of its bytes who wrote it, who read it last and whether a copy is under
// way to it. Every access of a kernel is checked here before it happens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "report.h"

namespace halfbyte::emulation {

class Block;
struct Thread;

class SharedMemory {
   public:
    static constexpr size_t kWindow = 256 * 1024;  // more than any GPU has; a launch may use 227 KB of it

    SharedMemory();
    ~SharedMemory();
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;

    // A fresh block's memory: `bytes` bytes of noise that nobody has written; reports call it `name`.
    void reset(size_t bytes, std::string name);

    char* base() const { return base_; }
    size_t bytes() const { return bytes_; }
    bool contains(const void* p) const { return static_cast<size_t>(static_cast<const char*>(p) - base_) < kWindow; }
    uint32_t offset(const void* p) const { return static_cast<uint32_t>(static_cast<const char*>(p) - base_); }

    // An access of the running thread. `code`: the instruction's address, for the report; `where`: its source, if known.
    void read(Block& block, uint32_t offset, size_t size, bool atomic, const void* code, Site where);
    void write(Block& block, uint32_t offset, size_t size, bool atomic, const void* code, Site where);

    // An asynchronous copy to `offset`: under way, then landed. `source` may be null: zeros. `writer` is who other threads must
    // have synchronized with to see the bytes.
    void begin_copy(Block& block, uint32_t offset, size_t size, Site where);
    void land_copy(uint32_t offset, const void* source, size_t size, unsigned writer, uint32_t clock);

    // A read by the asynchronous proxy (TMA, wgmma) on behalf of the running thread: what threads wrote must have been fenced.
    void async_read(Block& block, uint32_t offset, size_t size, const char* instruction, Site where);

   private:
    // 16 bits name a thread of the cluster (up to 8 blocks of 1024; the number after a block's last is its asynchronous proxy).
    static constexpr uint16_t kNobody = 0xffff;    // never written
    static constexpr uint16_t kUnderWay = 0xfffe;  // an asynchronous copy has begun and was not waited for
    static constexpr uint16_t kAtomic = 0x8000;    // the access was atomic: atomics do not race with each other
    struct Cell {
        uint32_t written_at, read_at;  // clocks of the writer and of the last reader
        uint16_t writer, reader;
    };

    void check_range(Block& block, uint32_t offset, size_t size, const char* what, const void* code, Site where);

    char* base_;
    size_t bytes_ = 0;
    std::string name_;
    std::unique_ptr<Cell[]> cells_;  // set by reset(), no further than the launch needs
};

}  // namespace halfbyte::emulation
