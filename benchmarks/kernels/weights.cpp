#include "weights.h"

#include <algorithm>
#include <array>

namespace halfbyte::benchmark {

Weight::Weight(halfbyte_stream stream, cudaStream_t cuda, int32_t device, int64_t rows, int64_t columns, int64_t footprint)
    : N(rows), K(columns), stream_(stream), cuda_(cuda), device_(device), footprint_(footprint) {}

int Weight::rounds(int64_t bytes_each) const {
    return static_cast<int>(std::clamp<int64_t>((footprint_ + bytes_each - 1) / bytes_each, 3, 512));
}

void Weight::fill(void* output, Element element, int round) {
    check(fill_normal(output, element, N * K, static_cast<uint64_t>(round) + 1, kDeviation, K, 0, cuda_), "fill_normal");
}

const Slab& Weight::bfloat16() {
    if (full_.count() == 0) {
        full_ = Slab(rounds(2 * N * K), 2 * N * K);
        for (int r = 0; r < full_.count(); ++r) fill(full_.at(r), Element::kBFloat16, r);
    }
    return full_;
}

const Slab& Weight::float16() {
    if (half_.count() == 0) {
        half_ = Slab(rounds(2 * N * K), 2 * N * K);
        for (int r = 0; r < half_.count(); ++r) fill(half_.at(r), Element::kFloat16, r);
    }
    return half_;
}

int Weight::four_bit_rounds() {
    if (packed_.count() != 0) return packed_.count();
    const int64_t n = N * K, blocks = (n + kBlocksize - 1) / kBlocksize;
    const int count = rounds((n + 1) / 2);
    packed_ = Slab(count, (n + 1) / 2);
    absmax_ = Slab(count, 4 * blocks);
    nested_codes_ = Slab(count, blocks);
    nested_absmax_ = Slab(count, 4 * ((blocks + 255) / 256));
    offset_ = Slab(count, 4);
    codebook_ = Buffer(1024);
    std::array<float, 256> table;
    check(halfbyte_codebook_values(HALFBYTE_CODEBOOK_DYNAMIC_SIGNED, table.data(), 256));
    check(halfbyte_copy_from_host(stream_, codebook_.as<>(), table.data(), 1024));
    const Buffer numbers(2 * n);
    for (int r = 0; r < count; ++r) {
        fill(numbers.as<>(), Element::kBFloat16, r);
        check(halfbyte_quantize_4bit(stream_, numbers.as<>(), HALFBYTE_DTYPE_BFLOAT16, n, kBlocksize, HALFBYTE_QUANT_TYPE_NF4,
                                     nullptr, packed_.at<uint8_t>(r), absmax_.at<float>(r)));
        check(halfbyte_double_quantize(stream_, absmax_.at<float>(r), blocks, nested_codes_.at<uint8_t>(r),
                                       nested_absmax_.at<float>(r), offset_.at<float>(r)));
    }
    check(halfbyte_stream_synchronize(stream_));
    return count;
}

halfbyte_weight_4bit Weight::four_bit(int round, bool is_nested) {
    four_bit_rounds();
    halfbyte_weight_4bit weight{};
    weight.packed = packed_.at(round);
    weight.absmax = is_nested ? nested_codes_.at(round) : absmax_.at(round);
    if (is_nested) {
        weight.nested_absmax = nested_absmax_.at(round);
        weight.nested_codebook = codebook_.as<>();
        weight.nested_offset = offset_.at(round);
        weight.nested_blocksize = 256;
    }
    weight.N = N;
    weight.K = K;
    weight.blocksize = kBlocksize;
    weight.quant_type = HALFBYTE_QUANT_TYPE_NF4;
    weight.device = device_;
    return weight;
}

int Weight::int8_rounds() {
    if (codes_.count() != 0) return codes_.count();
    const int count = rounds(N * K);
    codes_ = Slab(count, N * K);
    row_absmax_ = Slab(count, 4 * N);
    int64_t workspace_bytes = 0;
    check(halfbyte_quantize_int8_rows_workspace(stream_, N, K, 0, &workspace_bytes));
    const Buffer numbers(2 * N * K), workspace(workspace_bytes);
    for (int r = 0; r < count; ++r) {
        fill(numbers.as<>(), Element::kBFloat16, r);
        check(halfbyte_quantize_int8_rows(stream_, numbers.as<>(), HALFBYTE_DTYPE_BFLOAT16, N, K, K, 0, codes_.at<int8_t>(r),
                                          row_absmax_.at<float>(r), nullptr, nullptr, workspace.as<>(), workspace_bytes));
    }
    check(halfbyte_stream_synchronize(stream_));
    return count;
}

halfbyte_weight_int8 Weight::int8(int round) {
    int8_rounds();
    return {codes_.at(round), row_absmax_.at(round), N, K, device_};
}

int64_t Weight::bytes() const {
    int64_t sum = codebook_.bytes();
    for (const Slab* slab : {&full_, &half_, &packed_, &absmax_, &nested_codes_, &nested_absmax_, &offset_, &codes_, &row_absmax_})
        sum += slab->bytes();
    return sum;
}

Weight& Weights::get(int64_t N, int64_t K) {
    int64_t sum = 0;
    for (const auto& [shape, entry] : all_) sum += entry.weight->bytes();
    const std::pair<int64_t, int64_t> wanted(N, K);
    while (sum > most_bytes_ && !(all_.empty() || (all_.size() == 1 && all_.begin()->first == wanted))) {
        auto oldest = all_.end();
        for (auto it = all_.begin(); it != all_.end(); ++it)
            if (it->first != wanted && (oldest == all_.end() || it->second.last_use < oldest->second.last_use)) oldest = it;
        sum -= oldest->second.weight->bytes();
        all_.erase(oldest);
    }
    Entry& entry = all_[wanted];
    if (!entry.weight) entry.weight = std::make_unique<Weight>(stream_, cuda_, device_, N, K, footprint_);
    entry.last_use = ++uses_;
    return *entry.weight;
}

}  // namespace halfbyte::benchmark
