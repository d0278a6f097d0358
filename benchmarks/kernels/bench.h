// What every row needs: the stream, the peers, the weights and the meter.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "device.h"
#include "layers.h"
#include "measure.h"
#include "options.h"
#include "peers/bitsandbytes.h"
#include "peers/gemm.h"
#include "row.h"
#include "weights.h"

namespace halfbyte::benchmark {

struct Bench {
    const Options& options;
    Meter& meter;
    Machine machine;
    cudaStream_t cuda = nullptr;
    halfbyte_stream stream = nullptr;
    int32_t device = HALFBYTE_DEVICE_CUDA;
    std::unique_ptr<GemmLibrary> gemms = {};
    std::string gemms_reason = {};  // why there are none
    std::unique_ptr<Bitsandbytes> bitsandbytes = {};
    std::string bitsandbytes_reason = {};
    int64_t footprint = 0;  // bytes that the copies of a buffer have together
    int64_t square = 8192;  // the product that shows what the tensor cores can do
    std::unique_ptr<Weights> weights = {};
    Limits limits = {};

    // A product of the peer's with its fastest algorithm. Measured once per shape.
    struct TunedGemm {
        std::unique_ptr<Gemm> gemm;
        int algorithm = 0;
        std::string reason;  // why it is absent
    };
    TunedGemm& tuned(GemmKind kind, int64_t M, int64_t N, int64_t K);

    Effort effort() const { return {options.row_seconds, options.quick ? 9 : 15}; }

    std::map<std::tuple<GemmKind, int64_t, int64_t, int64_t>, TunedGemm> gemm_cache = {};
};

// A row in the making: its candidates in the order of the report, ours first.
class RowBuilder {
   public:
    RowBuilder(Bench& bench, Row row) : bench_(bench), row_(std::move(row)) {}

    void ours(std::function<void(int)> enqueue, int rounds);
    // Several candidates of one name: the fastest counts.
    void peer(const char* name, std::function<void(int)> enqueue, int rounds, std::string note = {},
              bool on_default_stream = false);
    void absent(const char* name, const std::string& reason);

    // The library's product with this weight; absent if it has none. y may be shared by all rounds.
    void gemm(const char* name, GemmKind kind, int64_t M, int64_t N, int64_t K, const Slab& weights, const void* x, void* y);
    // Our dequantization into `full`, of which there are as many as rounds, then the library's product.
    void dequantized_gemm(const char* name, GemmKind kind, int64_t M, int64_t N, int64_t K, std::function<void(int)> dequantize,
                          int rounds, const Slab& full, const void* x, void* y, std::string note = {});

    Row measure();

   private:
    Bench& bench_;
    Row row_;
    std::vector<Candidate> candidates_;
};

// Rows in the order of their importance.
struct Task {
    std::string name;
    int priority;  // 0: the targets table; 1, 2: the rest; 3: with --all alone
    std::function<Row(Bench&, const std::string& name)> run;
};

void add_conversion_4bit_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers);
void add_conversion_8bit_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers);
void add_product_4bit_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers);
void add_product_int8_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers);
void add_chain_tasks(std::vector<Task>& tasks, const std::vector<ChainStep>& steps);
void add_choice_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers);
void add_accuracy_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers);

// Bytes of a 4-bit weight: codes and statistics.
double four_bit_bytes(int64_t N, int64_t K, bool is_nested);

Limits measure_limits(Bench& bench);

}  // namespace halfbyte::benchmark
