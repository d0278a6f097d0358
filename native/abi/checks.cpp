#include "checks.h"

#include <cmath>
#include <limits>

#include "core/formats.h"

namespace halfbyte::abi {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kWorkspaceAlignment = 64;

long long ll(int64_t value) { return value; }

Name part(int64_t index, const char* member) { return {index < 0 ? "weight" : "weights", index, member}; }

void require_device(const Stream& stream, int64_t device, int64_t index) {
    if (device != stream.device)
        fail(HALFBYTE_STATUS_WRONG_DEVICE,
             "%s is %lld but the stream's device is %d; move the weight or use a stream of its device.",
             to_string(part(index, "device")).c_str(), ll(device), stream.device);
}

// N, K >= 0 and N * K elements within int64; returns N * K.
int64_t check_elements(int64_t N, int64_t K, int64_t index) {
    if (N < 0 || K < 0 || (K != 0 && N > kMax / 4 / K))
        fail(HALFBYTE_STATUS_INVALID_SIZE, "%s is [N=%lld, K=%lld]; expected N, K >= 0 and N * K * 4 bytes within int64.",
             to_string(part(index, nullptr)).c_str(), ll(N), ll(K));
    return N * K;
}

}  // namespace

std::string to_string(Name name) {
    std::string text = name.text;
    if (name.index >= 0) text.append("[").append(std::to_string(name.index)).append("]");
    if (name.member != nullptr) text.append(".").append(name.member);
    return text;
}

Stream& live_stream(halfbyte_stream handle) {
    if (handle == nullptr) fail(HALFBYTE_STATUS_NULL_POINTER, "stream is null; create one with halfbyte_stream_create.");
    auto* stream = static_cast<Stream*>(handle);
    if (reinterpret_cast<uintptr_t>(handle) % alignof(Stream) != 0 || stream->alive != Stream::kAlive)
        fail(HALFBYTE_STATUS_INVALID_HANDLE, "stream is not a live stream; it was destroyed or never created.");
    return *stream;
}

DType dtype_of(int32_t dtype, Name name) {
    switch (dtype) {
        case HALFBYTE_DTYPE_FLOAT32:
        case HALFBYTE_DTYPE_FLOAT16:
        case HALFBYTE_DTYPE_BFLOAT16:
            return static_cast<DType>(dtype);
        default:
            fail(HALFBYTE_STATUS_INVALID_DTYPE, "%s is %d; expected 1 (float32), 2 (float16) or 3 (bfloat16).",
                 to_string(name).c_str(), dtype);
    }
}

void require_not_negative(int64_t value, const char* name) {
    if (value < 0) fail(HALFBYTE_STATUS_INVALID_SIZE, "%s is %lld; expected 0 or more.", name, ll(value));
}

void require_blocksize(int64_t blocksize, Name name) {
    if (!is_blocksize(blocksize))
        fail(HALFBYTE_STATUS_INVALID_FORMAT, "%s is %lld; expected 32, 64, 128, 256, 512, 1024, 2048 or 4096.",
             to_string(name).c_str(), ll(blocksize));
}

void require_code_table(const float* codebook, int count) {
    for (int i = 0; i < count; ++i) {
        const auto value = static_cast<double>(codebook[i]);
        if (std::isnan(value))  // whose sign printf would print
            fail(HALFBYTE_STATUS_INVALID_FORMAT, "codebook[%d] is nan; expected %d finite values in ascending order.", i, count);
        if (std::isinf(value) || (i > 0 && codebook[i] < codebook[i - 1]))
            fail(HALFBYTE_STATUS_INVALID_FORMAT, "codebook[%d] is %g; expected %d finite values in ascending order.", i, value,
                 count);
        if (value < -1 || value > 1)
            fail(HALFBYTE_STATUS_INVALID_FORMAT,
                 "codebook[%d] is %g; values are relative to absmax, expected from -1 to 1: divide all by the largest magnitude.",
                 i, value);
    }
    if (codebook[0] == codebook[count - 1])
        fail(HALFBYTE_STATUS_INVALID_FORMAT, "codebook has the one value %g %d times; expected values from -1 to 1.",
             static_cast<double>(codebook[0]), count);
}

int64_t checked_bytes(int64_t count, int64_t size, const char* name) {
    require_not_negative(count, name);
    if (count > kMax / size)
        fail(HALFBYTE_STATUS_INVALID_SIZE, "%s is %lld; at %lld bytes each, that is beyond int64.", name, ll(count), ll(size));
    return count * size;
}

void Ranges::require_ld(int64_t ld, Name name, int64_t cols) {
    if (ld < cols)
        fail(HALFBYTE_STATUS_INVALID_SIZE, "%s is %lld; expected at least the row's length, %lld.", to_string(name).c_str(), ll(ld),
             ll(cols));
}

void Ranges::add(Name name, const void* data, int64_t rows, int64_t cols, int64_t ld, int64_t size, bool is_output) {
    if (rows <= 0 || cols <= 0) return;  // an empty tensor may be null
    if (cols > kMax / size || (rows > 1 && ld > (kMax - cols * size) / size / (rows - 1)))
        fail(HALFBYTE_STATUS_INVALID_SIZE, "%s has %lld rows %lld elements apart: beyond int64 bytes.", to_string(name).c_str(),
             ll(rows), ll(ld));
    if (data == nullptr)
        fail(HALFBYTE_STATUS_NULL_POINTER, "%s is null; expected %lld bytes.", to_string(name).c_str(),
             ll((rows - 1) * ld * size + cols * size));
    const auto begin = reinterpret_cast<uintptr_t>(data);
    if (begin % static_cast<uintptr_t>(size) != 0)
        fail(HALFBYTE_STATUS_MISALIGNED, "%s is not aligned to its element size of %lld bytes.", to_string(name).c_str(), ll(size));
    const Range range{name, begin, rows, cols * size, ld * size, is_output};
    if (begin > std::numeric_limits<uintptr_t>::max() - static_cast<uintptr_t>((rows - 1) * ld * size + cols * size))
        fail(HALFBYTE_STATUS_INVALID_SIZE, "%s does not fit the address space.", to_string(name).c_str());
    if (size_ < kFew) new (few_ + size_ * sizeof(Range)) Range(range);
    else more_.push_back(range);
    ++size_;
}

void Ranges::workspace(const void* data, int64_t bytes, int64_t required) {
    require_not_negative(bytes, "workspace_bytes");
    if (bytes < required)
        fail(HALFBYTE_STATUS_WORKSPACE_TOO_SMALL, "workspace_bytes is %lld; this call needs %lld, as its workspace query says.",
             ll(bytes), ll(required));
    if (required == 0) return;
    add({"workspace"}, data, 1, required, required, 1, true);
    if (reinterpret_cast<uintptr_t>(data) % kWorkspaceAlignment != 0)
        fail(HALFBYTE_STATUS_MISALIGNED, "workspace is not aligned to %lld bytes.", ll(kWorkspaceAlignment));
}

bool Ranges::Range::overlaps(const Range& other) const {
    if (begin >= other.end() || other.begin >= end()) return false;
    if (pitch_bytes != other.pitch_bytes || rows == 1 || other.rows == 1) return true;
    // Two matrices of one pitch: each row occupies [0, row_bytes) of its pitch, the other's rows start `shift` into it.
    const auto pitch = static_cast<uintptr_t>(pitch_bytes);
    const int64_t shift = static_cast<int64_t>(other.begin >= begin ? (other.begin - begin) % pitch
                                                                    : (pitch - (begin - other.begin) % pitch) % pitch);
    return shift < row_bytes || shift + other.row_bytes > pitch_bytes;
}

void Ranges::finish() const {
    for (size_t i = 0; i < size_; ++i) {
        for (size_t j = i + 1; j < size_; ++j) {
            if (!at(i).is_output && !at(j).is_output) continue;
            if (at(i).overlaps(at(j)))
                fail(HALFBYTE_STATUS_OVERLAP, "%s overlaps %s; an output needs memory of its own.", to_string(at(j).name).c_str(),
                     to_string(at(i).name).c_str());
        }
    }
}

void check_shape(const Stream& stream, const halfbyte_weight_4bit& weight, int64_t index) {
    require_device(stream, weight.device, index);
    check_elements(weight.N, weight.K, index);
    require_blocksize(weight.blocksize, part(index, "blocksize"));
    if (weight.quant_type < HALFBYTE_QUANT_TYPE_FP4 || weight.quant_type > HALFBYTE_QUANT_TYPE_CUSTOM)
        fail(HALFBYTE_STATUS_INVALID_FORMAT, "%s is %lld; expected 1 (FP4), 2 (NF4) or 3 (custom).",
             to_string(part(index, "quant_type")).c_str(), ll(weight.quant_type));
    if (is_nested(weight)) require_blocksize(weight.nested_blocksize, part(index, "nested_blocksize"));
}

void check_shape(const Stream& stream, const halfbyte_weight_int8& weight, int64_t index) {
    require_device(stream, weight.device, index);
    check_elements(weight.N, weight.K, index);
}

void add_inputs(Ranges& ranges, const halfbyte_weight_4bit& weight, int64_t index) {
    const int64_t n = weight.N * weight.K;
    const int64_t blocks = ceil_div(n, weight.blocksize);
    const bool nested = is_nested(weight);
    ranges.input(part(index, "packed"), weight.packed, packed_bytes(n), 1);
    ranges.input(part(index, "absmax"), weight.absmax, blocks, nested ? 1 : 4);
    if (nested) {
        ranges.input(part(index, "nested_absmax"), weight.nested_absmax, ceil_div(blocks, weight.nested_blocksize), 4);
        ranges.input(part(index, "nested_codebook"), weight.nested_codebook, 256, 4);
        ranges.input(part(index, "nested_offset"), weight.nested_offset, 1, 4);
    }
    if (weight.codebook != nullptr || weight.quant_type == HALFBYTE_QUANT_TYPE_CUSTOM)
        ranges.input(part(index, "codebook"), weight.codebook, 16, 4);
}

void add_inputs(Ranges& ranges, const halfbyte_weight_int8& weight, int64_t index) {
    ranges.input(part(index, "codes"), weight.codes, weight.N * weight.K, 1);
    ranges.input(part(index, "absmax"), weight.absmax, weight.N, 4);
}

}  // namespace halfbyte::abi
