#include "fiber.h"

#include <sys/mman.h>

#include <new>

namespace halfbyte::emulation {
namespace {
constexpr size_t kGuard = 4096;
}

char* StackPool::bottom(size_t index) {
    while (stacks_.size() <= index) {
        void* memory = mmap(nullptr, kGuard + kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        mprotect(memory, kGuard, PROT_NONE);
        stacks_.push_back(static_cast<char*>(memory) + kGuard);
    }
    return stacks_[index];
}

StackPool::~StackPool() {
    for (char* stack : stacks_) munmap(stack - kGuard, kGuard + kBytes);
}

}  // namespace halfbyte::emulation
