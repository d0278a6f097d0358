// A layer's weight in every format, as often as it takes to outgrow the cache.
//
// Weights are normally distributed and really quantized, so that codes and statistics are as frequent as a model's. Copy r of every
// format is made from the same numbers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "device.h"
#include "fill.h"

namespace halfbyte::benchmark {

inline constexpr int64_t kBlocksize = 64;
inline constexpr float kDeviation = 0.02f;

class Weight {
   public:
    // `footprint`: bytes that all copies of a format together should have.
    Weight(halfbyte_stream stream, cudaStream_t cuda, int32_t device, int64_t N, int64_t K, int64_t footprint);

    const int64_t N, K;

    // Makes the format if it is not there. What they return lives as long as the weight.
    const Slab& bfloat16();
    const Slab& float16();
    int four_bit_rounds();
    halfbyte_weight_4bit four_bit(int round, bool is_nested);
    int int8_rounds();
    halfbyte_weight_int8 int8(int round);
    const Slab& codes() { return int8_rounds(), codes_; }
    int64_t bytes() const;

    const Slab& packed() { return four_bit_rounds(), packed_; }
    const Slab& absmax() { return four_bit_rounds(), absmax_; }
    const Slab& nested_codes() { return four_bit_rounds(), nested_codes_; }
    const Slab& nested_absmax() { return four_bit_rounds(), nested_absmax_; }
    const float* nested_codebook() { return four_bit_rounds(), codebook_.as<float>(); }
    const float* nested_offset(int round) { return four_bit_rounds(), offset_.at<float>(round); }

    // How many copies of so many bytes there are.
    int rounds(int64_t bytes_each) const;

   private:
    void fill(void* output, Element element, int round);

    halfbyte_stream stream_;
    cudaStream_t cuda_;
    int32_t device_;
    int64_t footprint_;
    Slab full_, half_;
    Slab packed_, absmax_, nested_codes_, nested_absmax_, offset_;
    Buffer codebook_;
    Slab codes_, row_absmax_;
};

// The weights of the rows measured last; the oldest goes when they are too many.
class Weights {
   public:
    Weights(halfbyte_stream stream, cudaStream_t cuda, int32_t device, int64_t footprint, int64_t most_bytes)
        : stream_(stream), cuda_(cuda), device_(device), footprint_(footprint), most_bytes_(most_bytes) {}
    Weight& get(int64_t N, int64_t K);
    void clear() { all_.clear(); }

   private:
    struct Entry {
        std::unique_ptr<Weight> weight;
        int64_t last_use = 0;
    };
    halfbyte_stream stream_;
    cudaStream_t cuda_;
    int32_t device_;
    int64_t footprint_, most_bytes_, uses_ = 0;
    std::map<std::pair<int64_t, int64_t>, Entry> all_;
};

}  // namespace halfbyte::benchmark
