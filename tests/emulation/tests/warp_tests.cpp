// Warps and blocks: results equal the definition in every thread order.
#include "kernels/kernels.h"
#include "tests/harness.h"
#include "tests/products.h"

TEST(block_sums_by_shuffles_and_shared_memory) {
    std::vector<int32_t> input(5 * 256);
    test::Random random(1);
    for (int32_t& value : input) value = random.between(-1000, 1000);
    const test::Buffer<int32_t> from(input), to(5);
    EXPECT_SUCCESS(sum_blocks(from.data(), to.data(), 5));
    for (size_t block = 0; block < 5; ++block) {
        int32_t sum = 0;
        for (size_t i = 0; i < 256; ++i) sum += input[block * 256 + i];
        EXPECT_EQUAL(to.values()[block], sum);
    }
}

TEST(histogram_by_atomics) {
    std::vector<uint32_t> values(1000), counts(16, 0), expected(16, 0);
    test::Random random(2);
    for (uint32_t& value : values) ++expected[value = random.next() % 16];
    const test::Buffer<uint32_t> from(values), to(counts);
    EXPECT_SUCCESS(histogram(from.data(), to.data(), 1000));
    EXPECT(to.values() == expected);
}

TEST(shuffles_votes_and_permutes) {
    const test::Buffer<uint32_t> results(32 * 8);
    EXPECT_SUCCESS(warp_functions(results.data()));
    const std::vector<uint32_t> values = results.values();
    for (uint32_t lane = 0; lane < 32; ++lane) {
        const uint32_t* mine = &values[lane * 8];
        EXPECT_EQUAL(mine[0], 0x49249249u);
        EXPECT_EQUAL(mine[1], 1u);
        EXPECT_EQUAL(mine[2], lane / 8 * 8 + (lane + 1) % 8);
        EXPECT_EQUAL(mine[3], lane >= 3 ? lane - 3 : lane);
        EXPECT_EQUAL(mine[4], lane % 16 + 3 < 16 ? lane + 3 : lane);
        EXPECT_EQUAL(mine[5], 0xfu << (lane / 4 * 4));
        EXPECT_EQUAL(mine[6], lane ^ (lane < 16 ? 1u : 2u));
        // Selector 0x9d40, lowest nibble first: byte 0, byte 4, the sign of byte 5 (0x05: none), the sign of byte 1 (0x81: set).
        EXPECT_EQUAL(mine[7], (0xff000400u | ((0x80u + lane) & 0xff)) ^ ((lane & 6u) | 8u));
    }
}

TEST(producer_and_consumer_by_named_barriers) {
    const test::Buffer<uint32_t> received(10 * 32);
    EXPECT_SUCCESS(named_barriers(received.data(), 10));
    for (uint32_t i = 0; i < 320; ++i) EXPECT_EQUAL(received.values()[i], (i / 32) * (i / 32));
}

TEST(last_block_by_ticket) {
    const test::Buffer<uint32_t> ticket(std::vector<uint32_t>{0}), result(std::vector<uint32_t>{0});
    EXPECT_SUCCESS(last_block(ticket.data(), result.data(), 37));
    EXPECT_EQUAL(ticket.values()[0], 37u);
    EXPECT_EQUAL(result.values()[0], 37u);
}

TEST(kernels_that_overlap) {
    std::vector<int32_t> input(256), addend(256);
    for (int32_t i = 0; i < 256; ++i) input[static_cast<size_t>(i)] = i * i, addend[static_cast<size_t>(i)] = -i;
    for (const bool every_thread_waits : {true, false})
        for (int repetition = 0; repetition < 150; ++repetition) {  // more launches than there are marks
            const test::Buffer<int32_t> from(input), other(addend), scratch(256), to(256);
            EXPECT_SUCCESS(double_and_add(from.data(), other.data(), scratch.data(), to.data(), 256, every_thread_waits));
            const std::vector<int32_t> output = to.values();
            for (size_t i = 0; i < 256; ++i) EXPECT_EQUAL(output[i], 2 * input[255 - i] + addend[i]);
            EXPECT(from.values() == std::vector<int32_t>(256, 0));
        }
}

// Where the device has no overlap, launch() does not ask for it: what a driver makes of the attribute there is written nowhere.
TEST(kernels_do_not_overlap_before_sm_90) {
    const test::Architecture before(89);
    const test::Buffer<int32_t> input(std::vector<int32_t>(256, 3)), addend(std::vector<int32_t>(256, 4)), scratch(256),
        output(256);
    EXPECT_SUCCESS(double_and_add(input.data(), addend.data(), scratch.data(), output.data(), 256, true));
    EXPECT(output.values() == std::vector<int32_t>(256, 10));
}

TEST(blocks_that_wait_for_each_other) {
    const test::Buffer<uint32_t> turn(std::vector<uint32_t>{0}), sums(20);
    EXPECT_SUCCESS(in_turn(turn.data(), sums.data(), 20));  // in reverse, too: every block begins before the first one ends
    for (uint32_t block = 0; block < 20; ++block) EXPECT_EQUAL(sums.values()[block], block * (block + 1) / 2);
}

TEST(bank_conflicts_are_counted) {
    std::vector<uint32_t> input(1024);
    for (uint32_t i = 0; i < 1024; ++i) input[i] = i;
    const test::Buffer<uint32_t> from(input), to(1024);
    const auto conflicts = [&](int pitch) {
        halfbyte::emulation::start_counting();
        EXPECT_SUCCESS(transpose(from.data(), to.data(), pitch));
        const auto counts = halfbyte::emulation::stop_counting();
        EXPECT_EQUAL(counts.size(), 1u);
        for (const auto& [kernel, count] : counts) {
            EXPECT(kernel.find("transpose_kernel") != std::string::npos);
            EXPECT_EQUAL(count.shared_stores, 32);
            EXPECT_EQUAL(count.shared_loads, 32);
            EXPECT_EQUAL(count.global_load_bytes, 4096);
            EXPECT_EQUAL(count.global_sectors, 256);
            return count.bank_conflicts;
        }
        return int64_t{-1};
    };
    EXPECT_EQUAL(conflicts(33), 0);        // padded: every bank once
    EXPECT_EQUAL(conflicts(32), 32 * 31);  // a column lies in one bank: 32 passes instead of 1
    for (uint32_t i = 0; i < 1024; ++i) EXPECT_EQUAL(to.values()[i], i % 32 * 32 + i / 32);
}

TEST(vector_accesses_are_counted_whole) {
    const test::Buffer<uint4> from(1024), to(1024);
    halfbyte::emulation::start_counting();
    EXPECT_SUCCESS(copy_vectors(from.data(), to.data(), 1024));
    for (const auto& [kernel, count] : halfbyte::emulation::stop_counting()) {
        EXPECT_EQUAL(count.global_loads, 1024 / 32);
        EXPECT_EQUAL(count.global_stores, 1024 / 32);
        EXPECT_EQUAL(count.global_store_bytes, 16384);
        EXPECT_EQUAL(count.blocks, 2);
    }
}

// As when two threads launch a kernel at the same time, whose shared memory depends on the shape.
TEST(launch_with_less_shared_memory_leaves_room_for_one_with_more) {
    const test::Buffer<uint32_t> result(1);
    EXPECT_SUCCESS(shared_memory_asked_for_in_turns(result.data()));
    EXPECT_EQUAL(result.values()[0], 60u * 1024 / 4);
}
