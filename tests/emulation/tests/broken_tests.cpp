// Each deliberately broken kernel is caught, in every order, and the report says which rule it broke and where.
#include "broken/broken.h"
#include "tests/harness.h"
#include "tests/products.h"
#include "tests/tensor_maps.h"

using halfbyte::emulation::Order;

namespace {

const std::vector<Order> kOrders = {
    {Order::kForward, 0}, {Order::kReverse, 0}, {Order::kRandom, 1}, {Order::kRandom, 2}, {Order::kRandom, 3}};

struct Data {
    test::Buffer<int32_t> input{std::vector<int32_t>(64, 7)};
    test::Buffer<int32_t> output{std::vector<int32_t>(64, 0)};
};

}  // namespace

// Runs the launch in each order by itself: one order must be enough.
#define EXPECT_CAUGHT(status, fault, text) \
    for (const Order& order : kOrders) {   \
        test::run_in_order(order);         \
        EXPECT_FAULT(status, fault, text); \
    }

TEST(catches_a_missing_barrier) {
    Data data;
    EXPECT_CAUGHT(missing_barrier(data.input.data(), data.output.data()), kRace, "barriers.cu:");
    EXPECT_CAUGHT(missing_second_barrier(data.input.data(), data.output.data()), kRace, "without a barrier in between");
    EXPECT_CAUGHT(missing_warp_barrier(data.input.data(), data.output.data()), kRace, "missing_warp_barrier_kernel");
}

TEST(catches_a_divergent_barrier) {
    Data data;
    EXPECT_CAUGHT(barrier_in_a_branch(data.output.data()), kDivergentBarrier, "__syncthreads");
    EXPECT_CAUGHT(barriers_of_two_branches(data.output.data()), kDivergentBarrier, "waits in the one at barriers.cu");
    EXPECT_CAUGHT(barrier_after_return(data.output.data(), 63), kDivergentBarrier, "thread (63,0,0)");
}

TEST(catches_a_divergent_shuffle) {
    Data data;
    EXPECT_CAUGHT(shuffle_in_a_branch(data.output.data()), kDivergentWarp, "barriers.cu:");
    EXPECT_CAUGHT(shuffle_from_outside(data.output.data()), kDivergentWarp, "from lane 20");
}

TEST(catches_setmaxnreg_of_a_part_of_a_warpgroup) {
    const test::Buffer<int32_t> output(128);
    EXPECT_CAUGHT(registers_of_one_warp(output.data()), kDivergentWarp, "different setmaxnreg instructions");
}

// The wrappers in device/ptx trap where the architecture lacks the instruction.
TEST(catches_an_instruction_that_the_device_does_not_have) {
    Data data;
    {
        const test::Architecture turing(75);
        EXPECT_CAUGHT(copy_read_by_a_neighbour(data.input.data(), data.output.data()), kInvalidInstruction,
                      "an instruction since sm_80 traps on sm_75");
    }
    {
        const test::Architecture ada(89);
        EXPECT_CAUGHT(bulk_store_without_fence(data.output.data()), kInvalidInstruction, "since sm_90 traps on sm_89");
    }
    const test::Architecture blackwell(100);
    const test::Buffer<int32_t> of_registers(128);
    EXPECT_CAUGHT(registers_of_one_warp(of_registers.data()), kInvalidInstruction, "of sm_90a alone traps on sm_100");
}

TEST(catches_shared_memory_out_of_bounds) {
    Data data;
    EXPECT_CAUGHT(shared_out_of_bounds(data.output.data()), kSharedOutOfBounds, "writes 4 bytes at offset 128 of 128 bytes");
}

TEST(catches_global_memory_out_of_bounds) {
    Data data;
    const test::Buffer<int32_t> exact(32);
    EXPECT_CAUGHT(global_read_out_of_bounds(exact.data(), data.output.data(), 32), kGlobalOutOfBounds,
                  "reads 4 bytes at offset 128 of an allocation of 128");
    const test::Buffer<uint8_t> odd(33);  // no multiple of anything
    EXPECT_CAUGHT(global_write_out_of_bounds(odd.data(), 33), kGlobalOutOfBounds,
                  "writes 1 bytes at offset 33 of an allocation of 33");
    int32_t* freed = nullptr;
    cudaMalloc(&freed, 256);
    cudaFree(freed);
    EXPECT_CAUGHT(global_read_out_of_bounds(freed, data.output.data(), 32), kGlobalOutOfBounds, "freed");
    const std::vector<int32_t> host(64);
    EXPECT_CAUGHT(global_read_out_of_bounds(host.data(), data.output.data(), 32), kNotDeviceMemory, "reads 4 bytes");
    EXPECT_CAUGHT(global_read_out_of_bounds(nullptr, data.output.data(), 32), kNotDeviceMemory, "reads 4 bytes");
}

TEST(catches_a_prefetch_out_of_bounds) {
    Data data;
    EXPECT_CAUGHT(prefetch_out_of_bounds(data.input.data(), 64, data.output.data()), kGlobalOutOfBounds, "no allocation");
}

TEST(catches_a_misaligned_access) {
    const test::Buffer<float> input(8), output(8);
    EXPECT_CAUGHT(misaligned_vector(input.data(), output.data()), kMisaligned, "16");
}

TEST(catches_a_read_of_uninitialized_shared_memory) {
    Data data;
    EXPECT_CAUGHT(uninitialized_shared(data.output.data()), kUninitializedShared, "byte 124 of shared memory, which nobody wrote");
}

TEST(catches_a_copy_that_was_not_waited_for) {
    Data data;
    EXPECT_CAUGHT(copy_read_too_early(data.input.data(), data.output.data()), kNotWaitedFor, "a copy is still under way");
    EXPECT_CAUGHT(copy_read_by_a_neighbour(data.input.data(), data.output.data()), kRace, "without a barrier");
    EXPECT_CAUGHT(bulk_copy_read_too_early(data.input.data(), data.output.data()), kNotWaitedFor, "a copy is still under way");
    const test::Buffer<float> output(128);
    EXPECT_CAUGHT(wgmma_read_too_early(output.data()), kNotWaitedFor, "wgmma");
    const test::Buffer<__nv_bfloat16> operands(64 * 16 + 8 * 16);
    EXPECT_CAUGHT(wgmma_issued_too_early(operands.data(), output.data()), kNotWaitedFor, "wgmma reads byte");
}

TEST(catches_a_missing_proxy_fence) {
    Data data;
    EXPECT_CAUGHT(bulk_store_without_fence(data.output.data()), kMissingProxyFence, "fence.proxy.async");
    EXPECT_CAUGHT(bulk_copy_without_fence(data.input.data(), data.output.data()), kMissingProxyFence, "fence.mbarrier_init");
}

TEST(catches_a_missing_fence_of_registers) {
    const test::Buffer<float> output(128);
    EXPECT_CAUGHT(wgmma_without_second_fence(output.data()), kInvalidInstruction, "without wgmma.fence between");
}

TEST(catches_too_many_arrivals) {
    Data data;
    EXPECT_CAUGHT(arrives_too_often(data.output.data()), kInvalidInstruction, "none is missing in this phase");
}

// No rule is broken here; the numbers are wrong, as they would be on a GPU.
TEST(catches_a_wrong_fragment_map) {
    std::vector<__nv_bfloat16> a(256), b(128);
    test::Random random(11);
    for (auto& value : a) value = __float2bfloat16(static_cast<float>(random.between(-9, 9)));
    for (auto& value : b) value = __float2bfloat16(static_cast<float>(random.between(-9, 9)));
    const test::Buffer<__nv_bfloat16> device_a(a), device_b(b);
    const test::Buffer<float> d(128);
    EXPECT_SUCCESS(wrong_fragment_map(device_a.data(), device_b.data(), d.data()));
    int wrong = 0;
    for (size_t m = 0; m < 16; ++m)
        for (size_t n = 0; n < 8; ++n) {
            float sum = 0;
            for (size_t k = 0; k < 16; ++k) sum += __bfloat162float(a[m * 16 + k]) * __bfloat162float(b[n * 16 + k]);
            wrong += d.values()[m * 8 + n] != sum;
        }
    EXPECT(wrong > 100);
}

TEST(catches_a_deadlock) {
    Data data;
    EXPECT_CAUGHT(deadlock(data.output.data()), kDeadlock, "32 threads wait in a named barrier at barriers.cu");
    EXPECT_CAUGHT(deadlock_on_mbarrier(data.output.data()), kDeadlock, "32 threads wait in an mbarrier");
}

TEST(catches_misuse_of_another_blocks_shared_memory) {
    Data data;
    EXPECT_CAUGHT(cluster_race(data.output.data()), kRace, "of shared memory of block (");
    EXPECT_CAUGHT(cluster_relaxed_race(data.output.data()), kRace, "of shared memory of block (");
    EXPECT_CAUGHT(cluster_second_race(data.output.data()), kRace, "of shared memory of block (");
    EXPECT_CAUGHT(cluster_before_it_begins(data.output.data()), kBlockNotThere, "no cluster barrier has shown that it has begun");
    EXPECT_CAUGHT(cluster_leaves_early(data.output.data()), kBlockNotThere, "shared memory");
    EXPECT_CAUGHT(cluster_out_of_bounds(data.output.data()), kSharedOutOfBounds,
                  "reads 16 bytes at offset 128 of 128 bytes of shared memory of block (");
    EXPECT_CAUGHT(cluster_uninitialized(data.output.data()), kUninitializedShared, "of shared memory of block (1,0,0)");
    EXPECT_CAUGHT(cluster_rank_too_large(data.output.data()), kInvalidInstruction, "to block 2 of a cluster of 2");
}

TEST(catches_misuse_of_the_cluster_barrier) {
    Data data;
    EXPECT_CAUGHT(cluster_deadlock(data.output.data()), kDeadlock, "32 threads wait in a cluster barrier at cluster.cu");
    EXPECT_CAUGHT(cluster_deadlock(data.output.data()), kDeadlock, "block (1,0,0): 32 threads wait in an mbarrier");
    EXPECT_CAUGHT(cluster_arrives_twice(data.output.data()), kDivergentBarrier, "again without having waited");
    EXPECT_CAUGHT(cluster_barrier_in_a_branch(data.output.data()), kDivergentWarp, "barrier.cluster.arrive");
}

TEST(catches_misuse_of_multicast) {
    Data data;
    const test::Buffer<uint16_t> rows(std::vector<uint16_t>(80 * 64, 1));
    const CUtensorMap from = test::map_of(rows.data(), 64, 80, CU_TENSOR_MAP_SWIZZLE_NONE, 8);
    EXPECT_CAUGHT(multicast_before_it_begins(from, data.output.data()), kBlockNotThere, "has begun");
    EXPECT_CAUGHT(multicast_never_released(from, data.output.data()), kDeadlock, "wait in an mbarrier");
    EXPECT_CAUGHT(multicast_into_use(from, data.output.data()), kNotWaitedFor, "writes byte");
    EXPECT_CAUGHT(multicast_released_too_early(from, data.output.data()), kRace, "without a barrier in between");
    EXPECT_CAUGHT(multicast_leaves_early(from, data.output.data()), kBlockNotThere, "shared memory");
    EXPECT_CAUGHT(multicast_to_no_block(from, data.output.data()), kInvalidInstruction, "to blocks 0x7 of a cluster of 2");
}

TEST(catches_a_kernel_that_does_not_wait_for_the_one_it_overlaps) {
    Data data;
    EXPECT_CAUGHT(overlap_reads(data.input.data(), data.output.data()), kOverlap, "thread (20,0,0), overlap.cu:");
    EXPECT_CAUGHT(overlap_overwrites(data.input.data(), data.output.data()), kOverlap, "which the kernel before this one reads");
    EXPECT_CAUGHT(overlap_leaves(data.input.data(), data.output.data()), kOverlap, "leaves a kernel that overlaps");
}

TEST(catches_the_read_only_path_to_what_is_written) {
    Data data;
    EXPECT_CAUGHT(overlap_reads_only(data.input.data(), data.output.data()), kReadOnlyPath,
                  "which the kernel that this one overlaps");
    EXPECT_CAUGHT(reads_only_what_it_writes(data.output.data()), kReadOnlyPath, "which this kernel writes");
}

// What came before may have used any memory, though here nothing came before.
TEST(catches_a_kernel_that_overlaps_any_other) {
    Data data;
    {
        const test::AnyPredecessor any;
        EXPECT_CAUGHT(overlap_reads_alone(data.output.data()), kOverlap, "thread (20,0,0), overlap.cu:");
        EXPECT_CAUGHT(overlap_reads_only_alone(data.output.data()), kReadOnlyPath, "which the kernel that this one overlaps");
    }
    EXPECT_SUCCESS(overlap_reads_only_alone(data.output.data()));
}

TEST(catches_an_endless_loop) {
    Data data;
    const test::Buffer<uint32_t> flag(std::vector<uint32_t>{0});
    test::run_in_order({});
    EXPECT_FAULT(endless_loop(flag.data(), data.output.data()), kDeadlock, "no progress");
}

TEST(catches_results_that_depend_on_the_order) {
    test::run_in_all_orders();
    const test::Buffer<float> sum(std::vector<float>{0});
    EXPECT_FAULT(order_dependence(sum.data()), kOrderDependence, "differs between orders forward and reverse");
}
