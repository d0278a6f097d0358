// Kernels that each break one rule of CUDA's execution model. Most give the right answer on most GPUs most of the time; the
// emulator must find every one of them every time.
#pragma once

#include <cuda.h>
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

cudaError_t missing_barrier(const int32_t* input, int32_t* output);         // reads what a neighbour writes
cudaError_t missing_second_barrier(const int32_t* input, int32_t* output);  // overwrites what a neighbour still reads
cudaError_t missing_warp_barrier(const int32_t* input, int32_t* output);    // relies on lanes in lock step
cudaError_t barrier_in_a_branch(int32_t* output);                           // half of the threads
cudaError_t barriers_of_two_branches(int32_t* output);                      // both halves, at different places
cudaError_t barrier_after_return(int32_t* output, int n);                   // threads beyond n have left
cudaError_t shuffle_in_a_branch(int32_t* output);                           // full mask, half of the lanes
cudaError_t shuffle_from_outside(int32_t* output);                          // from a lane that is not in the mask
cudaError_t shared_out_of_bounds(int32_t* output);                          // one element too far
cudaError_t global_read_out_of_bounds(const int32_t* input, int32_t* output, int n);
cudaError_t global_write_out_of_bounds(uint8_t* output, int n);                        // one byte too far
cudaError_t misaligned_vector(const float* input, float* output);                      // 16 bytes at a multiple of 4
cudaError_t prefetch_out_of_bounds(const int32_t* input, int32_t n, int32_t* output);  // what lies behind the allocation
cudaError_t uninitialized_shared(int32_t* output);
cudaError_t copy_read_too_early(const int32_t* input, int32_t* output);       // cp.async, committed, not waited for
cudaError_t copy_read_by_a_neighbour(const int32_t* input, int32_t* output);  // waited for by another thread, no barrier
cudaError_t wrong_fragment_map(const __nv_bfloat16* a, const __nv_bfloat16* b, float* d);  // k of B's registers interleaved
cudaError_t deadlock(int32_t* output);                                                     // two warps wait for each other
cudaError_t deadlock_on_mbarrier(int32_t* output);                                         // two arrivals expected, one made
cudaError_t endless_loop(const uint32_t* flag, int32_t* output);                           // a flag nobody sets
cudaError_t order_dependence(float* sum);                                                  // float atomics
cudaError_t bulk_copy_read_too_early(const int32_t* input, int32_t* output);
cudaError_t bulk_store_without_fence(int32_t* output);                          // TMA reads what threads wrote, no proxy fence
cudaError_t bulk_copy_without_fence(const int32_t* input, int32_t* output);     // of the barrier's initialization
cudaError_t arrives_too_often(int32_t* output);                                 // at an mbarrier that waits for bytes alone
cudaError_t wgmma_read_too_early(float* output);                                // accumulators before the wait
cudaError_t wgmma_issued_too_early(const __nv_bfloat16* input, float* output);  // its operands are waited for after it
cudaError_t wgmma_without_second_fence(float* output);                          // A's registers written between two groups
cudaError_t registers_of_one_warp(int32_t* output);                             // setmaxnreg by one warp of four
cudaError_t cluster_race(int32_t* output);              // reads a neighbour's memory after a barrier of its own block alone
cudaError_t cluster_relaxed_race(int32_t* output);      // reads it after a barrier at which nobody has released anything
cudaError_t cluster_second_race(int32_t* output);       // overwrites what a neighbour still reads
cudaError_t cluster_before_it_begins(int32_t* output);  // writes to a neighbour that may not run yet
cudaError_t cluster_leaves_early(int32_t* output);      // while the neighbour may still read its memory
cudaError_t cluster_out_of_bounds(int32_t* output);     // of the neighbour's memory
cudaError_t cluster_uninitialized(int32_t* output);
cudaError_t cluster_rank_too_large(int32_t* output);  // the address of memory in block 2 of 2
cudaError_t cluster_deadlock(int32_t* output);        // one block in the cluster barrier, the other elsewhere
cudaError_t cluster_arrives_twice(int32_t* output);   // at the barrier, without a wait in between
cudaError_t cluster_barrier_in_a_branch(int32_t* output);
// From 80 rows of 64 elements, in boxes of 8 rows, to both blocks of a cluster.
cudaError_t multicast_before_it_begins(const CUtensorMap& from, int32_t* output);
cudaError_t multicast_never_released(const CUtensorMap& from, int32_t* output);  // a block that reads tells itself alone
cudaError_t multicast_into_use(const CUtensorMap& from, int32_t* output);        // so too, and nobody waits for the other
cudaError_t multicast_released_too_early(const CUtensorMap& from, int32_t* output);
cudaError_t multicast_leaves_early(const CUtensorMap& from, int32_t* output);  // while the other may still release a stage
cudaError_t multicast_to_no_block(const CUtensorMap& from, int32_t* output);   // the third of two
cudaError_t overlap_reads(const int32_t* input, int32_t* output);       // one thread reads the former kernel's results too early
cudaError_t overlap_overwrites(int32_t* input, int32_t* output);        // what the former kernel may still read
cudaError_t overlap_reads_only(const int32_t* input, int32_t* output);  // the former kernel's results, by __ldg after the wait
cudaError_t overlap_reads_alone(int32_t* output);                       // the same two after no kernel at all
cudaError_t overlap_reads_only_alone(int32_t* output);
cudaError_t reads_only_what_it_writes(int32_t* output);             // __ldg of the kernel's own results
cudaError_t overlap_leaves(const int32_t* input, int32_t* output);  // some threads have nothing to do, and do not wait
