// The 4-bit product on Hopper's tensor cores under emulation, asked for by name: operands as dequantization makes them, within the
// bound of float32 sums.
#include <algorithm>
#include <utility>

#include "cuda/chunk_bytes.h"
#include "cuda/matmul_wgmma.h"
#include "tests/forward_product.h"

using namespace halfbyte;
using test::Format4Bit;
using test::Spoil;

namespace {

constexpr DType kTypes[] = {DType::kFloat16, DType::kBFloat16};

// While it lives, products run on this kernel or not at all, on tiles of so many rows of x (small products would all have the
// smallest), and in clusters of so many blocks.
class Asked {
   public:
    explicit Asked(const char* kernel, const char* rows = "", const char* cluster = "")
        : kernel_("matmul_4bit", kernel), rows_("wgmma_tile", rows), cluster_("wgmma_cluster", cluster) {}

   private:
    test::AskedKernel kernel_, rows_, cluster_;
};
constexpr const char* kTiles[] = {"64", "128", "256"};

struct Case {
    int64_t M, K;
    std::vector<int64_t> N;
    std::vector<Format4Bit> formats = {{}};
    bool bias = false;
    int64_t gap_x = 0, gap_y = 0, skew_x = 0;
};

// The products and their references, over weights as dequantization would round them.
struct Product : test::ForwardProduct<test::RandomWeight4Bit> {
    Product(const Case& at, DType dtype, Spoil spoil = nullptr) : ForwardProduct(dtype, at.M, at.K, at.gap_x, at.skew_x, spoil) {
        for (size_t i = 0; i < at.N.size(); ++i) {
            auto weight = std::make_unique<test::RandomWeight4Bit>(at.N[i], at.K, at.formats[i % at.formats.size()], 7 + i);
            weight->dequantize(dtype);
            add(std::move(weight), at.bias, at.gap_y);
        }
    }

    void check() const {
        EXPECT_SUCCESS(run());
        for (size_t i = 0; i < weights.size(); ++i) check_output(i, sums(i));
    }
};

void check(const Case& at, DType dtype, Spoil spoil = nullptr) { Product(at, dtype, spoil).check(); }

}  // namespace

// Of whole tiles of x, and what is left over; features within a tile, and beyond.
TEST(matmul_4bit_wgmma_of_any_shape) {
    for (const char* rows : kTiles) {
        const Asked asked("wgmma", rows);
        for (const DType dtype : kTypes)
            for (const int64_t M : {33, 65, 128, 129, 300})
                for (const auto& [N, K] : {std::pair<int64_t, int64_t>{1, 16}, {64, 80}, {257, 64}}) check({M, K, {N}}, dtype);
    }
}

TEST(matmul_4bit_wgmma_of_every_format) {
    const std::vector<Format4Bit> formats = test::every_format();
    const std::vector<int64_t> rows = test::many_sizes(formats.size(), 140);
    for (const char* kernel : {"wgmma", "chunks"}) {
        const Asked asked(kernel);
        for (const DType dtype : kTypes)
            for (const int64_t K : {80, 128}) check({65, K, rows, formats, true}, dtype);
    }
}

// Blocks of 64 and more in whole stages: one table of values per row and stage.
TEST(matmul_4bit_wgmma_of_whole_blocks) {
    const std::vector<Format4Bit> formats = {
        {}, {HALFBYTE_QUANT_TYPE_FP4, 64, true}, {HALFBYTE_QUANT_TYPE_CUSTOM, 128, false}, {HALFBYTE_QUANT_TYPE_NF4, 4096, true}};
    for (const char* rows : kTiles) {
        const Asked asked("wgmma", rows);
        for (const DType dtype : kTypes) check({65, 192, {130, 3, 64, 16}, formats, true}, dtype);
    }
}

// The last stage is ragged, rows of the weight do not begin at multiples of 16 bytes, and blocks begin within a stage.
TEST(matmul_4bit_wgmma_of_ragged_depth) {
    const std::vector<Format4Bit> formats = {{}, {HALFBYTE_QUANT_TYPE_FP4, 64, true}, {HALFBYTE_QUANT_TYPE_NF4, 32, false}};
    for (const char* kernel : {"wgmma", "chunks"}) {
        const Asked asked(kernel);
        for (const DType dtype : kTypes) check({65, 336, {3, 2, 4}, formats, true}, dtype);
        check({65, 4304, {3}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, DType::kBFloat16);
    }
}

// Codes at addresses that only the smaller loads may take, rows of x and of y that are further apart than they are long, and rows
// of y that begin anywhere.
TEST(matmul_4bit_wgmma_of_matrices_with_gaps) {
    const std::vector<Format4Bit> formats = {{HALFBYTE_QUANT_TYPE_NF4, 64, false, 8}, {}};
    for (const char* kernel : {"wgmma", "chunks"}) {
        const Asked asked(kernel);
        for (const DType dtype : kTypes)
            for (const int64_t gap_y : {0, 3, 8}) check({70, 128, {72, 31}, formats, true, 8, gap_y, 8}, dtype);
    }
}

// Several tiles for each of the emulated multiprocessors: the ring and the staged sums go on from one to the next, and the ring
// goes round.
TEST(matmul_4bit_wgmma_of_several_tiles_per_block) {
    for (const char* rows : kTiles) {
        const Asked asked("wgmma", rows);
        check({520, 192, {140, 257}, {{}, {HALFBYTE_QUANT_TYPE_FP4, 128, true}}, true}, DType::kBFloat16);
    }
}

TEST(matmul_4bit_wgmma_split_in_depth) {
    for (const char* rows : kTiles) {
        const Asked asked("wgmma", rows);
        check({65, 1088, {20, 130}, {{}, {HALFBYTE_QUANT_TYPE_FP4, 32, true}}, true, 0, 2}, DType::kBFloat16);
        check({65, 1024, {20}, {{HALFBYTE_QUANT_TYPE_FP4, 64, true}}, true}, DType::kFloat16);
    }
    // Nine weights are two launches, both cut as all nine together.
    for (const char* sums : {"cluster", "partials"}) {
        const test::AskedKernel asked("wgmma_sums", sums);
        check({66, 1088, {3, 4, 5, 6, 7, 8, 9, 10, 130}}, DType::kBFloat16);
    }
}

// Tiles of different weights in one cluster, one tile alone with a block that stores nothing, rows of x that end in either block's
// half, and several rounds of the ring: by one block and by two, equal to the bit.
TEST(matmul_4bit_wgmma_in_clusters) {
    const std::vector<Format4Bit> formats = {{}, {HALFBYTE_QUANT_TYPE_FP4, 128, true}, {HALFBYTE_QUANT_TYPE_CUSTOM, 32, true}};
    for (const char* rows : kTiles)
        for (const Case& at : {Case{65, 80, {1}, {{}}, true}, Case{600, 16, {129}}, Case{129, 592, {130, 3}, formats, true, 8, 3},
                               Case{257, 128, {31, 0, 257, 64}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}, false, 0, 1},
                               Case{65, 1088, {20, 130}, formats, true}}) {
            std::vector<std::vector<double>> results[2];
            for (int i = 0; i < 2; ++i) {
                const Asked asked("wgmma", rows, i == 0 ? "1" : "2");
                const DType dtype = kTypes[at.K % 128 == 80];
                Product product(at, dtype);
                product.check();
                for (const auto& output : product.outputs) results[i].push_back(output->download());
            }
            EXPECT(results[0] == results[1]);
        }
}

// K in two, four and eight parts, each of a block that hands its sums to the others: equal to the bit to partial sums that another
// launch adds. With rows of x that end in one block's part, and tiles of more than one weight.
TEST(matmul_4bit_wgmma_adds_in_clusters) {
    struct Split {
        const char *rows, *together;
        int64_t parts;
        Case at;
    };
    const std::vector<Format4Bit> formats = {{}, {HALFBYTE_QUANT_TYPE_FP4, 128, true}, {HALFBYTE_QUANT_TYPE_CUSTOM, 32, true}};
    for (const auto& [rows, together, parts, at] :
         {Split{"64", "1", 2, {65, 1088, {20, 130}, formats, true, 0, 3}}, Split{"64", "2", 2, {40, 1024, {129}, {{}}}},
          Split{"64", "1", 8, {17, 4112, {20}, {{}}, true}}, Split{"128", "2", 4, {70, 2048, {257, 5}, formats, true, 8, 1}},
          Split{"256", "1", 4, {130, 2064, {60}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}},
          Split{"256", "2", 2, {300, 1040, {130}, formats, true}}}) {
        const Asked asked("wgmma", rows, together);
        std::vector<std::vector<double>> results[2];
        for (int i = 0; i < 2; ++i) {
            const test::AskedKernel sums("wgmma_sums", i == 0 ? "partials" : "cluster");
            Product product(at, kTypes[parts / 2 % 2]);
            halfbyte::emulation::start_counting();
            product.check();
            const auto counts = halfbyte::emulation::stop_counting();
            EXPECT_EQUAL(counts.size(), size_t{i == 0 ? 2u : 1u});
            const bool is_two = together[0] == '2';
            int64_t tiles = 0;
            for (const int64_t N : at.N) tiles += ceil_div(N, 128);
            for (const auto& [name, count] : counts)
                if (i == 1)
                    EXPECT_EQUAL(count.blocks, count.launches * parts * ceil_div(at.M, std::stoll(rows)) *
                                                   (is_two ? ceil_div(tiles, 2) * 2 : tiles));
            for (const auto& output : product.outputs) results[i].push_back(output->download());
        }
        EXPECT(results[0] == results[1]);
    }
}

// Two blocks share x where tiles have more than 64 rows of it and there are two of them: three tiles are four blocks then.
TEST(matmul_4bit_wgmma_chooses_clusters) {
    test::run_in_order({});
    struct Choice {
        int64_t N;
        const char *rows, *cluster;
        int64_t blocks;
    };
    for (const auto& [N, rows, cluster, blocks] : {Choice{257, "256", "", 4}, Choice{257, "128", "", 4}, Choice{257, "64", "", 3},
                                                   Choice{1, "256", "", 1}, Choice{257, "256", "1", 3}, Choice{1, "256", "2", 2}}) {
        const Asked asked("wgmma", rows, cluster);
        Product product({64, 64, {N}}, DType::kBFloat16);
        halfbyte::emulation::start_counting();
        EXPECT_SUCCESS(product.run());
        for (const auto& [name, count] : halfbyte::emulation::stop_counting()) EXPECT_EQUAL(count.blocks, blocks);
    }
}

// Narrow products fill the device by parts of K, in one cluster with the blocks that share x.
TEST(matmul_4bit_wgmma_is_cut_to_fill_the_device) {
    struct Cut {
        int64_t M, tiles, K;
        cuda::WgmmaPlan plan;
    };
    for (const auto& [M, tiles, K, plan] :
         {Cut{64, 32, 4096, {64, 1, 4}}, Cut{128, 32, 4096, {128, 2, 4}}, Cut{64, 8, 4096, {64, 1, 8}},
          Cut{128, 112, 4096, {128, 2, 1}}, Cut{4096, 32, 4096, {256, 2, 1}}, Cut{64, 1, 65536, {64, 1, 128}}}) {
        const cuda::WgmmaPlan cut = cuda::wgmma_plan(M, tiles, K);
        EXPECT_EQUAL(cut.rows, plan.rows);
        EXPECT_EQUAL(cut.together, plan.together);
        EXPECT_EQUAL(cut.splits, plan.splits);
        EXPECT(cuda::wgmma_adds_in_cluster(cut.splits) == (plan.splits == 4 || plan.splits == 8));
        EXPECT_EQUAL(cuda::wgmma_plan(M, tiles, K, cut.splits).rows, plan.rows);
    }
}

TEST(matmul_4bit_wgmma_keeps_infinities_in_their_row) {
    const Asked asked("wgmma", "256");
    for (const DType dtype : kTypes)
        for (const int64_t K : {80, 128})
            check({66, K, {40, 130}, {{HALFBYTE_QUANT_TYPE_NF4, 64, true}}}, dtype, test::put_infinities);
}

// Beyond K there are zeros, and not the first of a table's values times the zeros that x has there.
TEST(matmul_4bit_wgmma_of_a_table_with_an_infinity) {
    Format4Bit format{HALFBYTE_QUANT_TYPE_CUSTOM, 64, false};
    format.first_is_infinite = true;
    for (const char* kernel : {"wgmma", "chunks"}) {
        const Asked asked(kernel);
        check({65, 80, {3}, {format}}, DType::kBFloat16);
    }
}

// Rounding errors of a weight hide behind those of a sum; here there is none. Blocks of 64 and more have launches of their own,
// where one table per stage may be enough.
TEST(matmul_4bit_wgmma_multiplies_by_dequantized_weights) {
    test::run_in_order({});
    std::vector<Format4Bit> formats[2];
    for (const Format4Bit& format : test::every_format()) formats[format.blocksize >= 64].push_back(format);
    for (const char* kernel : {"wgmma", "chunks"}) {
        const Asked asked(kernel);
        for (const DType dtype : kTypes)
            for (const int64_t K : {80, 96, 112, 128})  // each number of slices in the last stage
                for (const auto& some : formats) {
                    const Product product({K, K, test::many_sizes(some.size(), 140), some}, dtype, test::put_identity);
                    EXPECT_SUCCESS(product.run());
                    for (size_t i = 0; i < some.size(); ++i) product.check_weight(i);
                }
    }
}

TEST(matmul_4bit_chunks_equal_wgmma) {
    const std::vector<Format4Bit> formats = {{}, {HALFBYTE_QUANT_TYPE_FP4, 128, true}, {HALFBYTE_QUANT_TYPE_CUSTOM, 32, true}};
    for (const DType dtype : kTypes)
        for (const auto& [M, K] : {std::pair<int64_t, int64_t>{65, 64}, {65, 592}, {257, 80}, {300, 128}}) {
            std::vector<std::vector<double>> results[3];
            for (int i = 0; i < 3; ++i) {
                const Asked asked(i == 0 ? "wgmma" : "chunks", "128", i == 2 ? "2" : "1");
                Product product({M, K, {64, 130, 0, 33}, formats, true, 8, 3}, dtype);
                product.check();
                for (size_t w = 0; w < 4; ++w) results[i].push_back(product.outputs[w]->download());
            }
            EXPECT(results[0] == results[1] && results[1] == results[2]);
        }
}

TEST(matmul_4bit_in_several_chunks) {
    const Asked asked("chunks");
    const std::vector<Format4Bit> formats = {{HALFBYTE_QUANT_TYPE_NF4, 64, true}, {HALFBYTE_QUANT_TYPE_FP4, 32, false}};
    const int64_t usual = cuda::chunk_bytes();
    for (const int64_t bytes : {1, 3 * 128 * 80 * 2}) {  // of one tile at least; of three, for two blocks in a cluster
        cuda::chunk_bytes() = bytes;
        for (const DType dtype : kTypes) check({65, 80, {400, 128, 129}, formats, true, 0, 1}, dtype);
    }
    cuda::chunk_bytes() = usual;
}

// What cannot be multiplied so is refused when it is asked for, and goes another way when it is not.
TEST(matmul_4bit_wgmma_refuses_what_it_cannot) {
    struct Refused {
        Case at;
        DType dtype;
        int architecture;
    };
    for (const char* kernel : {"wgmma", "chunks"})
        for (const auto& [at, dtype, architecture] :
             {Refused{{65, 72, {3}}, DType::kBFloat16, 90}, Refused{{65, 64, {3}}, DType::kFloat32, 90},
              Refused{{65, 64, {3}, {{}}, false, 1}, DType::kBFloat16, 90},
              Refused{{65, 64, {3}, {{}}, false, 0, 0, 1}, DType::kBFloat16, 90}, Refused{{65, 64, {3}}, DType::kBFloat16, 80}}) {
            const test::Architecture device(architecture);
            const Asked asked(kernel);
            EXPECT_EQUAL(static_cast<int>(Product(at, dtype).run()), static_cast<int>(cudaErrorNotSupported));
        }
}

// Up to 32 rows the streaming kernel; up to 64 too where its tiles of 32 rows run side by side, and where x cannot be read by TMA.
TEST(matmul_4bit_chooses_wgmma_by_rows_and_size) {
    test::run_in_order({});
    struct Choice {
        int64_t M, N, K, skew_x;
        const char* kernel;
    };
    for (const auto& [M, N, K, skew_x, kernel] :
         {Choice{32, 8577, 16, 0, "stream"}, Choice{33, 8577, 16, 0, "wgmma"}, Choice{33, 8448, 16, 0, "stream"},
          Choice{64, 1, 34288, 0, "stream"}, Choice{64, 1, 34304, 0, "wgmma"}, Choice{33, 8577, 16, 1, "stream"},
          Choice{65, 8, 16, 0, "wgmma"}}) {
        Product product({M, K, {N}, {{}}, false, 0, 0, skew_x}, DType::kBFloat16);
        halfbyte::emulation::start_counting();
        EXPECT_SUCCESS(product.run());
        bool has_run = false;
        for (const auto& [name, count] : halfbyte::emulation::stop_counting())
            has_run = has_run || name.find(std::string("matmul_4bit_") + kernel) != std::string::npos;
        if (!has_run)
            test::fail(__FILE__, __LINE__,
                       "M=" + std::to_string(M) + " N=" + std::to_string(N) + " K=" + std::to_string(K) + " not by " + kernel);
    }
}

// What the comments of the kernels promise: neither stages nor the staged sums conflict, and every 16 k of a tile are one product
// of each warpgroup. One small tile: where warpgroups part for long, the emulator puts a warp's accesses together approximately.
TEST(matmul_4bit_wgmma_without_conflicts) {
    test::run_in_order({});
    for (const char* kernel : {"wgmma", "chunks"}) {
        const Asked asked(kernel, "128");
        Product product({128, 128, {128}}, DType::kBFloat16);
        halfbyte::emulation::start_counting();
        EXPECT_SUCCESS(product.run());
        for (const auto& [name, count] : halfbyte::emulation::stop_counting()) {
            if (name.find("wgmma_kernel") == std::string::npos) continue;
            EXPECT_EQUAL(count.bank_conflicts, 0);
            EXPECT_EQUAL(count.wgmma, 2 * 128 / 16);
        }
    }
}
