// Clusters: blocks that reach each other's shared memory.
#include "kernels/kernels.h"
#include "tests/harness.h"
#include "tests/tensor_maps.h"

TEST(cluster_sums_by_remote_loads) {
    std::vector<float> input(24 * 64);
    test::Random random(40);
    for (float& value : input) value = static_cast<float>(random.between(-1000, 1000));
    for (const unsigned cluster : {1u, 2u, 4u, 8u}) {
        const test::Buffer<float> from(input), to(24 / cluster);
        EXPECT_SUCCESS(sum_by_clusters(from.data(), to.data(), 24, cluster));
        const std::vector<float> sums = to.values();
        for (size_t c = 0; c < sums.size(); ++c) {
            float sum = 0;
            for (size_t i = 0; i < 64 * cluster; ++i) sum += input[c * 64 * cluster + i];
            EXPECT_EQUAL(sums[c], sum);
        }
    }
}

TEST(cluster_passes_vectors_around_by_remote_stores) {
    const unsigned blocks = 12, cluster = 4;
    const int rounds = 3;
    std::vector<float4> input(blocks * 64);
    for (size_t i = 0; i < input.size(); ++i) {
        const auto value = static_cast<float>(i);
        input[i] = {value, value + 0.25f, value + 0.5f, value + 0.75f};
    }
    const test::Buffer<float4> from(input), to(input.size());
    const test::Buffer<uint32_t> ranks(input.size());
    EXPECT_SUCCESS(pass_around(from.data(), to.data(), ranks.data(), blocks, cluster, rounds));
    const std::vector<float4> output = to.values();
    const std::vector<uint32_t> came_from = ranks.values();
    for (unsigned block = 0; block < blocks; ++block) {
        const unsigned rank = (block % cluster + cluster - rounds) % cluster;
        for (unsigned i = 0; i < 64; ++i) {
            const float4& expected = input[(block / cluster * cluster + rank) * 64 + i];
            const float4& got = output[block * 64 + i];
            EXPECT(got.x == expected.x && got.y == expected.y && got.z == expected.z && got.w == expected.w);
            EXPECT_EQUAL(came_from[block * 64 + i], rank);
        }
    }
}

TEST(cluster_hands_over_by_mbarriers) {
    const int rounds = 9;
    std::vector<uint32_t> input(rounds);
    for (uint32_t i = 0; i < rounds; ++i) input[i] = i * i;
    const test::Buffer<uint32_t> from(input), to(3 * rounds);
    EXPECT_SUCCESS(feed(from.data(), to.data(), 4, rounds));
    for (uint32_t i = 0; i < 3 * rounds; ++i) EXPECT_EQUAL(to.values()[i], input[i % rounds] + i / rounds + 1);
}

TEST(cluster_shares_tiles_by_multicast) {
    const size_t tiles = 5;
    for (const unsigned cluster : {1u, 2u, 4u, 8u}) {
        const size_t rows = 8 * cluster * tiles, missing = 3;  // the last rows are beyond the matrix
        std::vector<uint16_t> values((rows - missing) * 64);
        test::Random random(41);
        for (uint16_t& value : values) value = static_cast<uint16_t>(random.next());
        const test::Buffer<uint16_t> from(values), to(2 * cluster * rows * 64);
        EXPECT_SUCCESS(share_tiles(test::map_of(from.data(), 64, rows - missing, CU_TENSOR_MAP_SWIZZLE_NONE, 8), to.data(), cluster,
                                   static_cast<int>(tiles)));
        values.resize(rows * 64, 0);
        const std::vector<uint16_t> output = to.values();
        for (size_t block = 0; block < 2 * cluster; ++block)
            EXPECT(std::equal(values.begin(), values.end(), output.begin() + static_cast<ptrdiff_t>(block * rows * 64)));
    }
}

TEST(clusters_of_a_wrong_size_are_refused) {
    const test::Buffer<float> from(24 * 64), to(24);
    EXPECT(sum_by_clusters(from.data(), to.data(), 24, 9) == cudaErrorInvalidClusterSize);
    EXPECT(sum_by_clusters(from.data(), to.data(), 24, 5) == cudaErrorInvalidClusterSize);  // no divisor of the grid
}
