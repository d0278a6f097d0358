// Rows of accuracy: the product y = x * W^T with the weight that the codes stand for, in float64 on the host, against ours and
// against dequantizing to bfloat16 and multiplying with cuBLASLt. The error is that of a sample of outputs, |y - exact| / |exact|
// in the 2-norm.
//
// Both round their outputs to bfloat16; the peer also rounds each weight, which ours keeps exact.
#include <algorithm>
#include <bit>
#include <vector>

#include "products.h"

namespace halfbyte::benchmark {
namespace {

constexpr int64_t kSampledOutputs = 256;

double from_bfloat16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

template <class T>
std::vector<T> download(const void* memory, int64_t count) {
    std::vector<T> values(static_cast<size_t>(count));
    check(cudaMemcpy(values.data(), memory, values.size() * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return values;
}

// The outputs [M, outputs] of the weight's first rows, exact but for float64.
std::vector<double> reference(Weight& weight, const Buffer& x, int64_t M, int64_t outputs) {
    const int64_t K = weight.K, n = outputs * K;
    const auto packed = download<uint8_t>(weight.packed().at(0), (n + 1) / 2);
    const auto absmax = download<float>(weight.absmax().at(0), (n + kBlocksize - 1) / kBlocksize);
    const auto activations = download<uint16_t>(x.as<>(), M * K);
    float table[16];
    check(halfbyte_codebook_values(HALFBYTE_CODEBOOK_NF4, table, 16));
    std::vector<double> y(static_cast<size_t>(M * outputs), 0.0);
    for (int64_t row = 0; row < outputs; ++row)
        for (int64_t k = 0; k < K; ++k) {
            const int64_t i = row * K + k;
            const int code = packed[static_cast<size_t>(i / 2)] >> (i % 2 == 0 ? 4 : 0) & 15;
            const double value = double{table[code]} * double{absmax[static_cast<size_t>(i / kBlocksize)]};
            for (int64_t m = 0; m < M; ++m)
                y[static_cast<size_t>(m * outputs + row)] += value * from_bfloat16(activations[static_cast<size_t>(m * K + k)]);
        }
    return y;
}

double relative_error(const Buffer& y, int64_t M, int64_t N, int64_t outputs, const std::vector<double>& exact) {
    const auto values = download<uint16_t>(y.as<>(), M * N);
    double difference = 0, norm = 0;
    for (int64_t m = 0; m < M; ++m)
        for (int64_t row = 0; row < outputs; ++row) {
            const double wanted = exact[static_cast<size_t>(m * outputs + row)];
            const double error = from_bfloat16(values[static_cast<size_t>(m * N + row)]) - wanted;
            difference += error * error;
            norm += wanted * wanted;
        }
    return std::sqrt(difference / norm);
}

Row accuracy(Bench& bench, const std::string& name, int64_t M, int64_t N, int64_t K) {
    Weight& weight = bench.weights->get(N, K);
    const Buffer x = activations(bench, Element::kBFloat16, M, K, false), y(2 * M * N), full(2 * N * K);
    Row row = product_row(name, "accuracy", "nf4", M, N, K);
    row.flops = 0;
    const halfbyte_weight_4bit w = weight.four_bit(0, false);
    const int64_t outputs = std::min(N, kSampledOutputs);
    check(halfbyte_stream_synchronize(bench.stream));
    const std::vector<double> exact = reference(weight, x, M, outputs);

    const halfbyte_output output{y.as<>(), N, nullptr, 0};
    int64_t workspace_bytes = 0;
    check(halfbyte_matmul_4bit_workspace(bench.stream, 1, &w, HALFBYTE_DTYPE_BFLOAT16, M, &workspace_bytes));
    const Buffer workspace(workspace_bytes);
    check(halfbyte_fill(bench.stream, y.as<>(), 0xff, y.bytes()));  // NaN, should anything be left out
    check(halfbyte_matmul_4bit(bench.stream, 1, &w, x.as<>(), HALFBYTE_DTYPE_BFLOAT16, M, K, &output, workspace.as<>(),
                               workspace_bytes));
    check(halfbyte_stream_synchronize(bench.stream));
    row.our_error = relative_error(y, M, N, outputs, exact);

    Peer peer{peer::kDequantize, {}, {}, {}};
    if (Bench::TunedGemm& product = bench.tuned(GemmKind::kBFloat16, M, N, K); product.gemm) {
        check(halfbyte_fill(bench.stream, y.as<>(), 0xff, y.bytes()));
        check(halfbyte_dequantize_4bit(bench.stream, &w, full.as<>(), HALFBYTE_DTYPE_BFLOAT16));
        product.gemm->enqueue(product.algorithm, full.as<>(), x.as<>(), y.as<>(), bench.cuda);
        check(halfbyte_stream_synchronize(bench.stream));
        row.peer_error = relative_error(y, M, N, outputs, exact);
    } else {
        peer.reason = product.reason;
    }
    row.peers.push_back(peer);
    return row;
}

}  // namespace

void add_accuracy_tasks(std::vector<Task>& tasks, const std::vector<Layer>& layers) {
    for (const Layer& layer : layers) {
        if (layer.kind != Layer::kTarget) continue;
        for (const int64_t M : {1, 2, 3, 4}) {
            const int64_t N = layer.N, K = layer.K;
            tasks.push_back({product_name("accuracy nf4", N, K, M), N == K ? 0 : 2,
                             [=](Bench& b, const std::string& name) { return accuracy(b, name, M, N, K); }});
        }
    }
}

}  // namespace halfbyte::benchmark
