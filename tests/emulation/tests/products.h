// What the tests of products share: random matrices on the emulated device, weights with their float64 values, and the written
// bound.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/codebooks.h"
#include "core/float16.h"
#include "core/formats.h"
#include "core/operations.h"
#include "cuda/kernel_choice.h"
#include "tests/harness.h"

namespace test {

inline constexpr halfbyte::DType kProductTypes[] = {halfbyte::DType::kFloat32, halfbyte::DType::kFloat16,
                                                    halfbyte::DType::kBFloat16};

// N and K at and beside the ends of vectors, blocks and tiles, and far from them.
inline constexpr std::pair<int64_t, int64_t> kOddShapes[] = {{1, 1},   {2, 1},   {1, 2},   {3, 31},    {16, 32},  {8, 33},
                                                             {33, 63}, {32, 64}, {17, 65}, {129, 100}, {64, 256}, {31, 513}};

inline double round_to(halfbyte::DType dtype, float value) {
    if (dtype == halfbyte::DType::kFloat16) return halfbyte::float16_to_float(halfbyte::float_to_float16(value));
    if (dtype == halfbyte::DType::kBFloat16) return halfbyte::bfloat16_to_float(halfbyte::float_to_bfloat16(value));
    return value;
}

// A row-major matrix on the device whose rows lie `gap` elements further apart than they are long, `skew` elements off its
// alignment.
class DeviceMatrix {
   public:
    DeviceMatrix(halfbyte::DType dtype, int64_t rows, int64_t columns, int64_t gap = 0, int64_t skew = 0)
        : dtype_(dtype),
          rows_(rows),
          columns_(columns),
          ld_(columns + gap),
          skew_(skew),
          bytes_(static_cast<size_t>((rows * ld_ + skew) * halfbyte::size_of(dtype))) {}

    void upload(const std::vector<double>& values) {
        std::vector<uint8_t> bytes(bytes_.values().size(), 0xff);
        for (int64_t r = 0; r < rows_; ++r)
            for (int64_t c = 0; c < columns_; ++c) {
                const auto value = static_cast<float>(values[static_cast<size_t>(r * columns_ + c)]);
                const uint32_t bits = dtype_ == halfbyte::DType::kFloat32   ? std::bit_cast<uint32_t>(value)
                                      : dtype_ == halfbyte::DType::kFloat16 ? halfbyte::float_to_float16(value)
                                                                            : halfbyte::float_to_bfloat16(value);
                std::memcpy(bytes.data() + at(r, c), &bits, static_cast<size_t>(halfbyte::size_of(dtype_)));
            }
        cudaMemcpy(bytes_.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice);
    }

    std::vector<double> download() const {
        const std::vector<uint8_t> bytes = bytes_.values();
        std::vector<double> values;
        for (int64_t r = 0; r < rows_; ++r)
            for (int64_t c = 0; c < columns_; ++c) {
                uint32_t bits = 0;
                std::memcpy(&bits, bytes.data() + at(r, c), static_cast<size_t>(halfbyte::size_of(dtype_)));
                values.push_back(dtype_ == halfbyte::DType::kFloat32   ? std::bit_cast<float>(bits)
                                 : dtype_ == halfbyte::DType::kFloat16 ? halfbyte::float16_to_float(static_cast<uint16_t>(bits))
                                                                       : halfbyte::bfloat16_to_float(static_cast<uint16_t>(bits)));
            }
        return values;
    }

    // Whether the elements between the rows still have their first value, 0xff.
    bool gaps_are_untouched() const {
        const std::vector<uint8_t> bytes = bytes_.values();
        for (int64_t r = 0; r < rows_; ++r)
            for (size_t i = at(r, columns_); i < at(r, ld_); ++i)
                if (bytes[i] != 0xff) return false;
        return true;
    }

    void* data() const { return bytes_.data() + skew_ * halfbyte::size_of(dtype_); }
    int64_t ld() const { return ld_; }

   private:
    size_t at(int64_t r, int64_t c) const { return static_cast<size_t>((skew_ + r * ld_ + c) * halfbyte::size_of(dtype_)); }

    halfbyte::DType dtype_;
    int64_t rows_, columns_, ld_, skew_;
    Buffer<uint8_t> bytes_;
};

inline std::vector<double> random_values(Random& random, int64_t n, halfbyte::DType dtype, float scale = 1) {
    std::vector<double> values;
    for (int64_t i = 0; i < n; ++i) values.push_back(round_to(dtype, random.uniform() * scale));
    return values;
}

// A sum in float64 and the sum of the magnitudes that went into it.
struct Sum {
    double value = 0, magnitude = 0;
    void add(double term) { value += term, magnitude += std::abs(term); }
};

// As which numbers the weights of the reference enter.
enum class Weights {
    kAsMultiplied,  // those the kernel multiplies by
    kExact,         // table value times statistic; kernels for 16-bit activations may round it to their type
};

// The bounds of tests/Halfbyte.Tests/Reference/Tolerances.cs, in their words; not finite exactly where the reference is not.
inline bool is_close(double actual, const Sum& expected, int64_t terms, halfbyte::DType dtype, Weights weights) {
    const bool is_off = weights == Weights::kExact && dtype != halfbyte::DType::kFloat32;
    double value = expected.value;
    if (is_off && dtype == halfbyte::DType::kFloat16 && std::isfinite(value) && !std::isnan(actual)) {
        // Where float16 ends, being off may make the one infinite and not the other.
        constexpr double kEnd = 65520;
        value = std::clamp(value, -kEnd, kEnd), actual = std::clamp(actual, -kEnd, kEnd);
    } else {
        const double rounded = round_to(dtype, static_cast<float>(value));
        if (!std::isfinite(rounded)) return std::isnan(rounded) ? std::isnan(actual) : actual == rounded;
    }
    const double unit = dtype == halfbyte::DType::kFloat32 ? 0x1p-24 : dtype == halfbyte::DType::kFloat16 ? 0x1p-11 : 0x1p-8;
    const double smallest = dtype == halfbyte::DType::kFloat32 ? 0x1p-149 : dtype == halfbyte::DType::kFloat16 ? 0x1p-24 : 0x1p-133;
    const double root = std::sqrt(static_cast<double>(terms));
    double accumulated = (8 + 2 * root) * 0x1p-24 * expected.magnitude + 0x1p-149;
    if (is_off) accumulated += unit * std::min(1.0, 8 / root) * expected.magnitude + smallest;
    return std::abs(actual - value) <= accumulated + std::max(unit * (std::abs(value) + accumulated), smallest / 2);
}

// While it lives, the device claims this compute capability.
class Architecture {
   public:
    explicit Architecture(int architecture) { setenv("HALFBYTE_EMULATION_ARCHITECTURE", std::to_string(architecture).c_str(), 1); }
    Architecture(const Architecture&) = delete;
    Architecture& operator=(const Architecture&) = delete;
    ~Architecture() { unsetenv("HALFBYTE_EMULATION_ARCHITECTURE"); }
};

// While it lives, the kernel before a launch may have written all that lies in memory and may still read it: what a kernel that
// overlaps it must be ready for, because a caller's other kernels come before.
class AnyPredecessor {
   public:
    AnyPredecessor() { halfbyte::emulation::assume_predecessors_use_everything(true); }
    AnyPredecessor(const AnyPredecessor&) = delete;
    AnyPredecessor& operator=(const AnyPredecessor&) = delete;
    ~AnyPredecessor() { halfbyte::emulation::assume_predecessors_use_everything(false); }
};

// While it lives, an operation runs this kernel and no other; none for the one it chooses.
class AskedKernel {
   public:
    AskedKernel(std::string operation, const std::string& name) : operation_(std::move(operation)) {
        halfbyte::cuda::ask_for_kernel(operation_, name);
    }
    AskedKernel(const AskedKernel&) = delete;
    AskedKernel& operator=(const AskedKernel&) = delete;
    ~AskedKernel() { halfbyte::cuda::ask_for_kernel(operation_, {}); }

   private:
    std::string operation_;
};

// ---- weights -------------------------------------------------------------------------------------------------------------------

struct Format4Bit {
    int32_t quant_type = HALFBYTE_QUANT_TYPE_NF4;
    int64_t blocksize = 64;
    bool nested = false;
    int64_t skew = 0;                // bytes by which the codes lie off their alignment
    bool first_is_infinite = false;  // of the caller's own table; no code names it
    std::vector<float> custom = {};  // the caller's own table, if not random; no code names its first value
    int64_t nested_blocksize = 256;
    int64_t absmax_skew = 0;  // statistics by which they lie off their alignment
};

// Every table, statistics of both kinds, and blocks of all sizes that matter; nested statistics in blocks of 256 as everywhere, and
// in smaller ones.
inline std::vector<Format4Bit> every_format() {
    std::vector<Format4Bit> formats;
    for (const int32_t type : {HALFBYTE_QUANT_TYPE_FP4, HALFBYTE_QUANT_TYPE_NF4, HALFBYTE_QUANT_TYPE_CUSTOM})
        for (const bool nested : {false, true})
            for (const int64_t blocksize : {32, 64, 256, 4096}) {
                formats.push_back({type, blocksize, nested});
                if (type == HALFBYTE_QUANT_TYPE_FP4) formats.back().nested_blocksize = 32;
            }
    return formats;
}

// As many N for them, up to `limit`, odd and even; one weight has no rows.
inline std::vector<int64_t> many_sizes(size_t count, size_t limit) {
    std::vector<int64_t> sizes;
    for (size_t i = 0; i < count; ++i) sizes.push_back(i == 3 ? 0 : static_cast<int64_t>(1 + i * 7 % limit));
    return sizes;
}

// A random 4-bit weight on the device, and its values.
class RandomWeight4Bit {
   public:
    RandomWeight4Bit(int64_t N, int64_t K, const Format4Bit& format, uint64_t seed) {
        Random random(seed);
        const int64_t n = N * K;
        const auto blocks = static_cast<size_t>(halfbyte::ceil_div(n, format.blocksize));
        std::vector<uint8_t> packed(static_cast<size_t>(format.skew + halfbyte::packed_bytes(n))), indices(blocks);
        for (uint8_t& byte : packed) byte = static_cast<uint8_t>(random.next());
        for (uint8_t& index : indices) index = static_cast<uint8_t>(random.next());
        if (format.first_is_infinite || !format.custom.empty())
            for (uint8_t& byte : packed) byte = static_cast<uint8_t>(byte | (byte >> 4 == 0) << 4 | ((byte & 15) == 0));
        const int64_t nested_blocks = halfbyte::ceil_div(static_cast<int64_t>(blocks), format.nested_blocksize);
        std::vector<float> absmax(blocks), nested(static_cast<size_t>(nested_blocks));
        for (float& value : absmax) value = random.uniform() * 3;
        for (float& value : nested) value = random.uniform();
        if (blocks > 1) absmax[1] = 0;
        std::vector<float> map(256), offset = {0.7f + 0.2f * random.uniform()}, custom(16);
        for (float& value : map) value = random.uniform();
        for (float& value : custom) value = random.uniform() * 1e4f;
        if (!format.custom.empty()) custom = format.custom;
        if (format.first_is_infinite) custom[0] = std::numeric_limits<float>::infinity();

        weight_.N = N;
        weight_.K = K;
        weight_.blocksize = format.blocksize;
        weight_.nested_blocksize = format.nested_blocksize;
        weight_.quant_type = format.quant_type;
        weight_.absmax = format.nested ? static_cast<const void*>(indices.data()) : absmax.data();
        if (format.nested)
            weight_.nested_absmax = nested.data(), weight_.nested_codebook = map.data(), weight_.nested_offset = offset.data();
        const float* from = format.quant_type == HALFBYTE_QUANT_TYPE_CUSTOM ? custom.data()
                            : format.quant_type == HALFBYTE_QUANT_TYPE_FP4  ? halfbyte::kFp4.data()
                                                                            : halfbyte::kNf4.data();
        table.assign(from, from + 16);
        for (int64_t i = 0; i < n; ++i) {
            const unsigned byte = packed[static_cast<size_t>(format.skew + i / 2)], code = i % 2 == 0 ? byte >> 4 : byte & 15;
            codes.push_back(static_cast<uint8_t>(code));
            statistics.push_back(halfbyte::absmax_of(weight_, i / format.blocksize));
            values.push_back(table[code] * statistics.back());
        }

        weight_.packed = bytes(packed) + format.skew;
        const auto skew = static_cast<size_t>(format.absmax_skew);
        indices.insert(indices.begin(), skew, uint8_t{});
        absmax.insert(absmax.begin(), skew, 0.0f);
        weight_.absmax = format.nested ? static_cast<const void*>(bytes(indices) + skew) : floats(absmax) + skew;
        if (format.nested)
            weight_.nested_absmax = floats(nested), weight_.nested_codebook = floats(map), weight_.nested_offset = floats(offset);
        if (format.quant_type == HALFBYTE_QUANT_TYPE_CUSTOM) weight_.codebook = floats(custom);
    }

    const halfbyte_weight_4bit& descriptor() const { return weight_; }

    // What halfbyte_dequantize_4bit writes: the product in float32, rounded to `dtype`.
    void dequantize(halfbyte::DType dtype) {
        for (double& value : values) value = round_to(dtype, static_cast<float>(value));
    }

    std::vector<float> table;                // [16]
    std::vector<uint8_t> codes;              // [N, K]
    std::vector<double> statistics, values;  // [N, K]

   private:
    uint8_t* bytes(const std::vector<uint8_t>& v) { return bytes_.emplace_back(std::make_unique<Buffer<uint8_t>>(v))->data(); }
    float* floats(const std::vector<float>& v) { return floats_.emplace_back(std::make_unique<Buffer<float>>(v))->data(); }

    halfbyte_weight_4bit weight_{};
    std::vector<std::unique_ptr<Buffer<uint8_t>>> bytes_;
    std::vector<std::unique_ptr<Buffer<float>>> floats_;
};

// A random int8 weight on the device, and its values.
class RandomWeightInt8 {
   public:
    RandomWeightInt8(int64_t N, int64_t K, uint64_t seed, int64_t skew = 0) {
        Random random(seed);
        codes.resize(static_cast<size_t>(skew + N * K));
        for (int8_t& code : codes) code = static_cast<int8_t>(random.between(-127, 127));
        absmax.resize(static_cast<size_t>(N));
        for (float& value : absmax) value = random.uniform() * 2;
        device_codes_ = std::make_unique<Buffer<int8_t>>(codes);
        device_absmax_ = std::make_unique<Buffer<float>>(absmax);
        codes.erase(codes.begin(), codes.begin() + skew);
        weight_ = {device_codes_->data() + skew, device_absmax_->data(), N, K, 0};
        for (int64_t i = 0; i < N * K; ++i)
            values.push_back(codes[static_cast<size_t>(i)] * static_cast<double>(absmax[static_cast<size_t>(i / K)]) / 127.0);
    }

    const halfbyte_weight_int8& descriptor() const { return weight_; }
    std::vector<int8_t> codes;  // [N, K]
    std::vector<float> absmax;
    std::vector<double> values;  // [N, K]

   private:
    halfbyte_weight_int8 weight_{};
    std::unique_ptr<Buffer<int8_t>> device_codes_;
    std::unique_ptr<Buffer<float>> device_absmax_;
};

// The first element out of bounds, as a sentence; empty if there is none.
inline std::string first_wrong(const std::vector<double>& actual, const std::vector<Sum>& expected, int64_t terms,
                               halfbyte::DType dtype, Weights weights = Weights::kAsMultiplied) {
    for (size_t i = 0; i < actual.size(); ++i)
        if (!is_close(actual[i], expected[i], terms, dtype, weights))
            return "element " + std::to_string(i) + " is " + std::to_string(actual[i]) + ", expected " +
                   std::to_string(expected[i].value);
    return {};
}

}  // namespace test
