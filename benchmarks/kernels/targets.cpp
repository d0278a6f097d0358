#include "targets.h"

namespace halfbyte::benchmark {
namespace {

constexpr double kNoise = 1.02;  // a ceiling is passed only by more than a measurement can be off
constexpr int64_t kLarge = 40'000'000;

bool is(const Row& row, const char* operation, const char* format) { return row.operation == operation && row.format == format; }
bool is_product(const Row& row, const char* format = "nf4") { return is(row, "matmul_4bit", format); }
bool is_large(const Row& row) { return row.N * row.K >= kLarge; }
bool has_shape(const Row& row, int64_t N, int64_t K) { return row.N == N && row.K == K; }
bool is_largest(const Row& row) { return has_shape(row, 14336, 4096) || has_shape(row, 4096, 14336); }

// What the ratio of two times, or of two errors, is. NaN: the peer is absent.
double value_of(const Target& target, const Row& row) {
    if (row.operation == "accuracy") return row.our_error / row.peer_error;
    if (target.peer == std::string(peer::kLimit)) return row.share_of_limit();
    const Peer* peer = row.find(target.peer);
    if (peer == nullptr) return NAN;
    const double ratio = peer->ratio(row.ours);
    return target.is_share ? 1 / ratio : ratio;
}

Verdict verdict_of(const Target& target, double value) {
    if (std::isnan(value)) return Verdict::kNotMeasured;
    // As if larger were better.
    const double sign = target.is_share ? -1 : 1;
    if (target.is_share ? value * kNoise < target.ceiling : value > target.ceiling * kNoise) return Verdict::kSuspicious;
    if (sign * value >= sign * target.aim) return Verdict::kAimed;
    return sign * value >= sign * target.must ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace

const std::vector<Target>& targets() {
    using namespace peer;
    static const std::vector<Target> all = {
        {"4-bit dequantize, share of a bf16 copy", kCopy, true, 0.75, 0.70, 0.64,
         [](const Row& r) { return is(r, "dequantize_4bit", "nf4") && is_large(r); }},
        {"4-bit quantize, share of a bf16 copy", kCopy, true, 0.85, 0.72, 0.64,
         [](const Row& r) { return is(r, "quantize_4bit", "nf4") && is_large(r); }},
        {"int8 row quantize, share of a bf16 copy", kCopy, true, 0.90, 0.82, 0.75,
         [](const Row& r) { return is(r, "quantize_int8_rows", "int8 rows") && is_large(r); }},
        {"8-bit blocks quantize, share of an fp32 copy", kCopy, true, 0.75, 0.70, 0.63,
         [](const Row& r) { return r.operation == "quantize_blockwise" && is_large(r); }},
        {"8-bit blocks dequantize, share of an fp32 copy", kCopy, true, 0.75, 0.70, 0.63,
         [](const Row& r) { return r.operation == "dequantize_blockwise" && is_large(r); }},
        {"matmul M=1, 14336x4096 and 4096x14336, over bf16", kBFloat16, false, 2.5, 2.9, 3.55,
         [](const Row& r) { return is_product(r) && r.M == 1 && is_largest(r); }},
        {"matmul M=1, 14336x4096 and 4096x14336, of a read-only stream", kLimit, false, 0.76, 0.88, 1.0,
         [](const Row& r) { return is_product(r) && r.M == 1 && is_largest(r); }},
        {"matmul M=1, 4096x4096, over bf16", kBFloat16, false, 1.8, 2.1, 2.2,
         [](const Row& r) { return is_product(r) && r.M == 1 && has_shape(r, 4096, 4096); }},
        {"chain of 4096x4096, M=1, over bf16", kBFloat16, false, 1.8, 2.5, 3.55,
         [](const Row& r) { return is(r, "chain", "nf4") && has_shape(r, 4096, 4096); }},
        {"chain of Llama-3-8B's layers, M=1, over bf16", kBFloat16, false, 2.2, 2.8, 3.55,
         [](const Row& r) { return is(r, "chain", "nf4") && r.N == 0; }},
        {"matmul M=1, nested over plain", kPlain, false, 1.00, 1.07, 1.09,
         [](const Row& r) { return is_product(r, "nf4 nested") && r.M == 1 && is_large(r); }},
        {"matmul M=8, 16, large layers, over bf16", kBFloat16, false, 2.2, 2.8, 3.5,
         [](const Row& r) { return is_product(r) && (r.M == 8 || r.M == 16) && is_large(r); }},
        {"matmul M=8, 16, layers of 4096 outputs, over bitsandbytes", kBitsandbytes, false, 3.5, 5, 8,
         [](const Row& r) { return is_product(r) && (r.M == 8 || r.M == 16) && r.N == 4096 && r.K >= 4096; }},
        {"matmul M=32, 64, large layers, over bf16", kBFloat16, false, 1.7, 2.3, 2.95,
         [](const Row& r) { return is_product(r) && (r.M == 32 || r.M == 64) && is_large(r); }},
        {"matmul M=128, large layers, over bf16", kBFloat16, false, 1.0, 1.3, 1.49,
         [](const Row& r) { return is_product(r) && r.M == 128 && is_large(r); }},
        {"matmul M=256, large layers, over bf16", kBFloat16, false, 0.85, 0.95, 1.0,
         [](const Row& r) { return is_product(r) && r.M == 256 && is_large(r); }},
        {"matmul M=1024, large layers, over bf16", kBFloat16, false, 0.88, 0.95, 1.0,
         [](const Row& r) { return is_product(r) && r.M == 1024 && is_large(r); }},
        {"matmul M=4096, large layers, over bf16", kBFloat16, false, 0.93, 1.0, 1.0,
         [](const Row& r) { return is_product(r) && r.M == 4096 && is_large(r); }},
        {"gradient M=256, large layers, over dequantize + bf16", kDequantize, false, 1.2, 1.7, 1.92,
         [](const Row& r) { return is(r, "matmul_4bit_transposed", "nf4") && r.M == 256 && is_large(r); }},
        {"gradient M=1024, large layers, over dequantize + bf16", kDequantize, false, 1.05, 1.15, 1.23,
         [](const Row& r) { return is(r, "matmul_4bit_transposed", "nf4") && r.M == 1024 && is_large(r); }},
        {"error at M=1..4, share of dequantize + bf16's", kDequantize, true, 1.0, 0.9, 0.0,
         [](const Row& r) { return r.operation == "accuracy"; }},
    };
    return all;
}

const char* name(Verdict verdict) {
    switch (verdict) {
        case Verdict::kNotMeasured:
            return "not measured";
        case Verdict::kMissed:
            return "MISSED";
        case Verdict::kMet:
            return "met";
        case Verdict::kAimed:
            return "met, and the aim";
        case Verdict::kSuspicious:
            return "SUSPICIOUS";
    }
    return "";
}

std::vector<Finding> evaluate(const std::vector<Row>& rows) {
    std::vector<Finding> findings;
    for (const Target& target : targets()) {
        const size_t before = findings.size();
        for (const Row& row : rows) {
            if (!target.applies(row)) continue;
            const double value = value_of(target, row);
            findings.push_back({&target, &row, value, verdict_of(target, value)});
        }
        if (findings.size() == before) findings.push_back({&target, nullptr, NAN, Verdict::kNotMeasured});
    }
    return findings;
}

}  // namespace halfbyte::benchmark
