#include "bench.h"

#include <algorithm>

#include "peers/streams.h"

namespace halfbyte::benchmark {
namespace {

constexpr int64_t kStreamBytes = int64_t{1} << 30;  // of one buffer; several times any cache
constexpr Effort kTuning{0.03, 3};                  // for the algorithms of one product

double fastest(const std::vector<Summary>& all) {
    double least = NAN;
    for (const Summary& one : all) least = std::fmin(least, one.median);
    return least;
}

double square_teraflops(Bench& bench, GemmKind kind) {
    const int64_t n = bench.square;
    Bench::TunedGemm& product = bench.tuned(kind, n, n, n);
    if (!product.gemm) return NAN;
    Weight& weight = bench.weights->get(n, n);
    const bool is_int8 = kind == GemmKind::kInt8;
    const Slab& full = is_int8 ? weight.codes() : weight.bfloat16();
    const Buffer y((is_int8 ? 4 : 2) * n * n);
    const auto enqueue = [&](int round) {
        product.gemm->enqueue(product.algorithm, full.at(round), full.at(round + 1), y.as<>(), bench.cuda);
    };
    const double microseconds = fastest(bench.meter.measure({{"square", enqueue, full.count()}}, {0.3, 9}));
    return 2e-6 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n) / microseconds;
}

}  // namespace

double four_bit_bytes(int64_t N, int64_t K, bool is_nested) {
    const double n = static_cast<double>(N) * static_cast<double>(K), blocks = n / static_cast<double>(kBlocksize);
    return n / 2 + (is_nested ? blocks + 4 * blocks / 256 : 4 * blocks);
}

Limits measure_limits(Bench& bench) {
    Limits limits;
    const int64_t bytes = std::min(kStreamBytes, 4 * bench.footprint);
    {
        const Slab buffers(3, bytes);
        const Buffer sink(4);
        for (int i = 0; i < buffers.count(); ++i)
            check(fill_normal(buffers.at(i), Element::kFloat32, bytes / 4, static_cast<uint64_t>(i), 1, bytes / 4, 0, bench.cuda),
                  "fill_normal");
        const auto read = [&](int i) { check(read_stream(buffers.at(i), bytes, sink.as<uint32_t>(), bench.cuda), "read_stream"); };
        const auto copy = [&](int i) { check(copy_stream(buffers.at(i + 1), buffers.at(i), bytes, bench.cuda), "copy_stream"); };
        const auto memcpy = [&](int i) {
            check(
                cudaMemcpyAsync(buffers.at(i + 1), buffers.at(i), static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, bench.cuda),
                "cudaMemcpyAsync");
        };
        const auto times = bench.meter.measure({{"read", read, 3}, {"copy", copy, 3}, {"memcpy", memcpy, 3}}, {0.5, 9});
        limits.read_gigabytes_per_second = static_cast<double>(bytes) / times[0].median * 1e-3;
        limits.copy_gigabytes_per_second = 2 * static_cast<double>(bytes) / fastest({times[1], times[2]}) * 1e-3;
    }
    if (bench.gemms) {
        limits.bf16_teraflops = square_teraflops(bench, GemmKind::kBFloat16);
        limits.int8_teraflops = square_teraflops(bench, GemmKind::kInt8);
    }
    return limits;
}

Bench::TunedGemm& Bench::tuned(GemmKind kind, int64_t M, int64_t N, int64_t K) {
    const auto [entry, is_new] = gemm_cache.try_emplace({kind, M, N, K});
    TunedGemm& product = entry->second;
    if (!is_new) return product;
    if (!gemms) {
        product.reason = gemms_reason;
        return product;
    }
    product.gemm = gemms->gemm(kind, M, N, K, &product.reason);
    if (!product.gemm) return product;
    // On weights of its own kind that outgrow the cache, as it will be measured.
    Weight& weight = weights->get(N, K);
    const bool is_int8 = kind == GemmKind::kInt8, is_transposed = kind == GemmKind::kBFloat16Transposed;
    const Slab& full = is_int8 ? weight.codes() : weight.bfloat16();
    const int64_t in = is_transposed ? N : K, out = is_transposed ? K : N;
    const Buffer x((is_int8 ? 1 : 2) * M * in), y((is_int8 ? 4 : 2) * M * out);
    check(fill_normal(x.as<>(), Element::kBFloat16, x.bytes() / 2, 1, 1, in, 0, cuda), "fill_normal");
    std::vector<Candidate> candidates;
    for (int algorithm = 0; algorithm < product.gemm->algorithms(); ++algorithm)
        candidates.push_back(
            {"algorithm", [&, algorithm](int round) { product.gemm->enqueue(algorithm, full.at(round), x.as<>(), y.as<>(), cuda); },
             full.count()});
    const std::vector<Summary> times = meter.measure(candidates, kTuning);
    for (size_t i = 0; i < times.size(); ++i)
        if (times[i].median == fastest(times)) product.algorithm = static_cast<int>(i);
    if (std::isnan(fastest(times))) {
        product.gemm.reset();
        product.reason = times.front().failure;
    }
    return product;
}

void RowBuilder::ours(std::function<void(int)> enqueue, int rounds) {
    candidates_.insert(candidates_.begin(), {"halfbyte", std::move(enqueue), rounds});
}

void RowBuilder::peer(const char* name, std::function<void(int)> enqueue, int rounds, std::string note, bool on_default_stream) {
    candidates_.push_back({name, std::move(enqueue), rounds, std::move(note), on_default_stream});
}

void RowBuilder::absent(const char* name, const std::string& reason) { row_.peers.push_back({name, {}, reason, {}}); }

void RowBuilder::gemm(const char* name, GemmKind kind, int64_t M, int64_t N, int64_t K, const Slab& weights, const void* x,
                      void* y) {
    Bench::TunedGemm& product = bench_.tuned(kind, M, N, K);
    if (!product.gemm) return absent(name, product.reason);
    peer(
        name,
        [this, &product, &weights, x, y](int round) {
            product.gemm->enqueue(product.algorithm, weights.at(round), x, y, bench_.cuda);
        },
        weights.count());
}

void RowBuilder::dequantized_gemm(const char* name, GemmKind kind, int64_t M, int64_t N, int64_t K,
                                  std::function<void(int)> dequantize, int rounds, const Slab& full, const void* x, void* y,
                                  std::string note) {
    Bench::TunedGemm& product = bench_.tuned(kind, M, N, K);
    if (!product.gemm) return absent(name, product.reason);
    peer(
        name,
        [this, &product, dequantize = std::move(dequantize), &full, x, y](int round) {
            dequantize(round);
            product.gemm->enqueue(product.algorithm, full.at(round), x, y, bench_.cuda);
        },
        rounds, std::move(note));
}

Row RowBuilder::measure() {
    const std::vector<Summary> times = bench_.meter.measure(candidates_, bench_.effort());
    row_.ours = times[0];
    row_.failure = times[0].failure;
    for (size_t i = 1; i < candidates_.size(); ++i) {
        const auto same =
            std::find_if(row_.peers.begin(), row_.peers.end(), [&](const Peer& p) { return p.name == candidates_[i].name; });
        if (same == row_.peers.end()) row_.peers.push_back({candidates_[i].name, times[i], times[i].failure, candidates_[i].note});
        else if (times[i].samples > 0 && !(same->time.median <= times[i].median))
            *same = {candidates_[i].name, times[i], {}, candidates_[i].note};
    }
    const double memory = row_.bytes / bench_.limits.read_gigabytes_per_second * 1e-3;
    const bool is_int8 = row_.operation == "matmul_int8";
    const double compute = row_.flops / (is_int8 ? bench_.limits.int8_teraflops : bench_.limits.bf16_teraflops) * 1e-6;
    row_.limit = row_.flops > 0 && compute > memory ? "compute" : "memory";
    row_.limit_microseconds = row_.limit == "compute" ? compute : memory;
    return std::move(row_);
}

}  // namespace halfbyte::benchmark
