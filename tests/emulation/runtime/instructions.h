// What the shadow headers in include/ are made of: the instructions of a GPU that C++ has no words for, as functions of the
// emulator. Each takes the place in the kernel's source that it stands for.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <source_location>

namespace halfbyte::emulation {

using Site = std::source_location;

// Barriers.
int sync_threads(int value, Site where);  // the sum of all threads' values
void named_barrier_sync(unsigned barrier, unsigned threads, Site where);
void named_barrier_arrive(unsigned barrier, unsigned threads, Site where);
void sync_warp(uint32_t mask, Site where);

// Votes and shuffles.
enum class Shuffle { kIndex, kUp, kDown, kXor };
uint32_t ballot(uint32_t mask, bool predicate, Site where);
uint32_t match_any(uint32_t mask, uint64_t value, Site where);
uint64_t shuffle(Shuffle kind, uint32_t mask, uint64_t value, unsigned operand, unsigned width, Site where);
enum class Reduce { kAdd, kMin, kMax, kAnd, kOr, kXor };
int64_t reduce(Reduce kind, uint32_t mask, int64_t value, Site where);

// Memory. `observe` announces an access that the shadow makes itself; the atomic ones are the emulator's.
void observe(const void* p, unsigned size, bool write, bool atomic);
void read_only(const void* p, unsigned size, Site where);  // the next access, a load, takes the read-only path
void prefetch(const void* p, Site where);
void polled();                 // the thread looked at memory that another block may change
bool since(int architecture);  // whether the device is of this compute capability or later
// An instruction that is not of every architecture: where the device's code has a trap instead, the launch ends with a report.
void require(int architecture, Site where);
void require_sm_90a(Site where);  // Hopper's own: neither before nor after
void count_permute();
void count_logic();

// Shared memory: the launch's bytes, and addresses as PTX counts them.
void* dynamic_shared();
uint32_t shared_address(const void* p);
void* shared_pointer(uint32_t address);

// Matrices of 8 x 8 elements of 16 bits.
void load_matrix(uint32_t* registers, unsigned matrices, bool transposed, const void* row, Site where);
void store_matrix(const uint32_t* registers, unsigned matrices, bool transposed, void* row, Site where);

// Tensor core products of a warp: d += a * b.
enum class Mma { kM16N8K16Float16, kM16N8K16BFloat16, kM16N8K8Float16, kM16N8K32Int8, kM8N8K16Int8 };
void mma(Mma kind, void* d, const uint32_t* a, const uint32_t* b, Site where);

// cp.async.
void copy_async(void* to, const void* from, unsigned size, unsigned source_size, Site where);
void copy_async_commit();
void copy_async_wait(unsigned groups_left);
void copy_async_wait_all();
void copy_async_arrive(void* mbarrier, Site where);

// mbarrier.
void mbarrier_init(void* mbarrier, unsigned count, Site where);
void mbarrier_fence();  // the running thread's initializations become visible to bulk copies
void mbarrier_invalidate(void* mbarrier, Site where);
void mbarrier_arrive(void* mbarrier, Site where);
void mbarrier_expect_bytes(void* mbarrier, uint32_t bytes, Site where);
void mbarrier_wait(void* mbarrier, unsigned parity, Site where);
bool mbarrier_test(void* mbarrier, unsigned parity, Site where);
void proxy_fence();

// griddepcontrol.wait.
void grid_dependency_wait();

// Clusters.
uint32_t cluster_rank();
uint32_t cluster_size();
void cluster_arrive(Site where);
void cluster_arrive_relaxed(Site where);
void cluster_wait(Site where);
uint32_t cluster_address(const void* shared, uint32_t rank, Site where);
void cluster_load(void* to, uint32_t address, unsigned size, Site where);
void cluster_store(uint32_t address, const void* from, unsigned size, Site where);
void mbarrier_arrive_cluster(uint32_t address, Site where);

// Bulk copies: contiguous bytes, and boxes of a tensor map.
void bulk_load(void* shared, const void* global, uint32_t bytes, void* mbarrier, Site where);
void bulk_store(void* global, const void* shared, uint32_t bytes, Site where);
void tensor_load(void* shared, const void* map, const int32_t* coordinates, unsigned rank, void* mbarrier, Site where);
// To the blocks of the cluster whose bits are set: to the same place in each, counted by the barrier at the same place.
void tensor_load_multicast(void* shared, const void* map, const int32_t* coordinates, unsigned rank, void* mbarrier,
                           uint16_t blocks, Site where);
void tensor_store(const void* map, const int32_t* coordinates, unsigned rank, const void* shared, Site where);
void bulk_commit();
void bulk_wait(unsigned groups_left);

// setmaxnreg: more registers, or fewer if negative.
void set_registers(int registers, Site where);

// wgmma: see runtime/wgmma.h.
struct Wgmma;
void wgmma_fence();
void wgmma_issue(const Wgmma& operation);
void wgmma_commit();
void wgmma_wait(unsigned groups_left, Site where);

// Launches.
cudaError_t launch_kernel(const cudaLaunchConfig_t& config, const void* function, void (*call)(void*), void* arguments,
                          size_t argument_bytes);

}  // namespace halfbyte::emulation
