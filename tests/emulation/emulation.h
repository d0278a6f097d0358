// What a test sees of the emulator: the order in which threads run, the faults that kernels commit, and what they cost.
// Kernels themselves are launched through the CUDA runtime's own functions, as on a GPU.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace halfbyte::emulation {

// A rule of CUDA's execution model that a kernel broke.
enum class Fault {
    kNone,
    kDivergentBarrier,     // __syncthreads reached by some threads only, or by several at different places
    kDivergentWarp,        // a warp instruction whose mask names lanes that do not execute it
    kDeadlock,             // every thread waits, or nothing has moved for too long
    kSharedOutOfBounds,    // beyond the shared memory of the launch
    kGlobalOutOfBounds,    // beyond an allocation, or freed
    kNotDeviceMemory,      // an address that only the host may use
    kMisaligned,           // an address that is no multiple of the access
    kUninitializedShared,  // a read of shared memory nobody wrote
    kRace,                 // two accesses to shared memory, one of them a write, without synchronization in between
    kNotWaitedFor,         // the target of an asynchronous copy used before the copy was waited for
    kBlockNotThere,        // shared memory of a block of the cluster that may not have begun, or may have ended
    kOverlap,              // memory that the kernel before uses, without having waited for that kernel's end
    kReadOnlyPath,         // memory read by __ldg or ld.global.nc that changes while the kernel lives
    kMissingProxyFence,    // shared memory written by threads, read by TMA or wgmma without fence.proxy.async
    kOrderDependence,      // results differ between thread orders
    kInvalidInstruction,   // operands that the instruction does not take
};
const char* name(Fault fault);

struct Report {
    Fault fault = Fault::kNone;
    std::string text;  // kernel, block, thread, what happened and where in the kernel's source
};

// The last launch's fault since the last call of this function. That launch returned cudaErrorLaunchFailure.
Report take_report();

// The order in which the threads of a block run between two synchronizations, and the blocks of a grid.
struct Order {
    enum Kind { kForward, kReverse, kRandom };
    Kind kind = kForward;
    uint64_t seed = 0;
};

// Every launch runs once per order, from the same device memory; results that differ in a bit are kOrderDependence. The default is
// what HALFBYTE_EMULATION_ORDERS names, as in "forward,reverse,random:7", else forward alone.
void set_orders(std::vector<Order> orders);

// While set, a kernel that overlaps the one before it is held against one that reads and writes all of the device's memory, instead
// of against the one that there was, if any.
void assume_predecessors_use_everything(bool assume);

// What a kernel did, summed over its threads' warps: one instruction of a warp counts once, however many of its lanes take part.
struct Counts {
    int64_t launches = 0, blocks = 0;
    int64_t overlapping = 0;  // of the launches: those that may overlap the kernel before
    int64_t global_loads = 0, global_stores = 0, global_load_bytes = 0, global_store_bytes = 0;
    int64_t global_sectors = 0;  // aligned 32-byte pieces that global accesses touch; bytes / 32 is the least
    int64_t shared_loads = 0, shared_stores = 0;
    int64_t shared_wavefronts = 0;  // passes over the 32 banks that all shared accesses took
    int64_t bank_conflicts = 0;     // those beyond the fewest that accesses of that width need
    int64_t barriers = 0, warp_syncs = 0, shuffles = 0, votes = 0, atomics = 0;
    int64_t ldmatrix = 0, stmatrix = 0, mma = 0, wgmma = 0, async_copies = 0, bulk_copies = 0, mbarrier_operations = 0;
    int64_t permutes = 0, logic = 0;  // prmt and lop3, per warp
};

// Counts all launches from here on, by kernel name without parameters ("halfbyte::cuda::dequantize<float>").
void start_counting();
std::map<std::string, Counts> stop_counting();

// The largest launch of each kernel so far: ptxas, which tells registers, knows nothing of dynamic shared memory.
struct LaunchSize {
    unsigned threads = 0;  // of a block
    size_t shared_bytes = 0;
};
std::map<std::string, LaunchSize> largest_launches();

}  // namespace halfbyte::emulation
