// What the kernel before this one on the stream read and wrote. A launch that overlaps it must not touch that before
// griddepcontrol.wait. Kernels run one after another here, so only these marks can show that it does.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "report.h"

namespace halfbyte::emulation {

struct Allocation;
class Block;

// A launch's part in it.
struct Footprint {
    uint8_t number = 0;        // its mark; the one before it left number - 1
    bool may_overlap = false;  // launched to overlap, whether or not there is a kernel before it
    bool overlaps = false;     // a kernel came before it on its stream that may still run
    bool is_any = false;       // and is taken to use all memory
};

// Before a launch, whichever orders it is run in. Under the device's mutex.
Footprint begin_footprint(const cudaLaunchConfig_t& config);

// The host waited, or work other than a kernel was enqueued: the next launch overlaps nothing.
void forget_predecessor();

// An access of the running thread to `size` bytes of an allocation.
void note_access(Block& block, const Allocation& allocation, const void* p, size_t size, bool write, const void* code, Site where);

// A read by the read-only path: nobody may write there while the kernel lives, a kernel that it overlaps included.
void note_read_only(Block& block, const Allocation& allocation, const void* p, size_t size, Site where);

}  // namespace halfbyte::emulation
