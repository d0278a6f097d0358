// What the ABI checks before a backend sees anything. Every check throws halfbyte::Error naming the argument, what was expected and
// what was found. See halfbyte.h section 1 for the rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/error.h"

namespace halfbyte::abi {

// The name of an argument in an error: "x", or "outputs[2].y".
struct Name {
    const char* text;
    int64_t index = -1;
    const char* member = nullptr;
};

// Its text. Only for errors: a check must cost nothing while all is well.
std::string to_string(Name name);

// The stream behind a handle, or NULL_POINTER / INVALID_HANDLE.
Stream& live_stream(halfbyte_stream handle);

// A required host pointer that is neither data nor stream: an output variable or an array of descriptors.
template <class T>
T* require_host(T* pointer, const char* name, const char* expected = "a host pointer");

DType dtype_of(int32_t dtype, Name name);
void require_blocksize(int64_t blocksize, Name name);
void require_not_negative(int64_t value, const char* name);

// count * size in bytes, or INVALID_SIZE if that is beyond int64.
int64_t checked_bytes(int64_t count, int64_t size, const char* name);

// The memory of one call. Each range is checked for null and alignment as it is added, for overlap by finish().
class Ranges {
   public:
    // `count` elements of `size` bytes each, aligned to `size`.
    void input(Name name, const void* data, int64_t count, int64_t size) { add(name, data, 1, count, count, size, false); }
    void output(Name name, const void* data, int64_t count, int64_t size) { add(name, data, 1, count, count, size, true); }

    // A row-major matrix. `ld_name` names its leading dimension in errors.
    void input(Name name, const void* data, int64_t rows, int64_t cols, int64_t ld, Name ld_name, int64_t size) {
        require_ld(ld, ld_name, cols);
        add(name, data, rows, cols, ld, size, false);
    }
    void output(Name name, const void* data, int64_t rows, int64_t cols, int64_t ld, Name ld_name, int64_t size) {
        require_ld(ld, ld_name, cols);
        add(name, data, rows, cols, ld, size, true);
    }

    // `required` bytes of scratch out of `bytes`.
    void workspace(const void* data, int64_t bytes, int64_t required);

    // Throws OVERLAP if an output shares a byte with anything else. Matrices of one leading dimension may interleave, as slices of
    // one [M, Nq + Nk + Nv] buffer do.
    void finish() const;

   private:
    struct Range {
        Name name;
        uintptr_t begin;
        int64_t rows;
        int64_t row_bytes;
        int64_t pitch_bytes;  // distance between rows
        bool is_output;

        uintptr_t end() const { return begin + static_cast<uintptr_t>((rows - 1) * pitch_bytes + row_bytes); }
        bool overlaps(const Range& other) const;
    };

    static void require_ld(int64_t ld, Name name, int64_t cols);
    void add(Name name, const void* data, int64_t rows, int64_t cols, int64_t ld, int64_t size, bool is_output);
    const Range& at(size_t i) const {
        return i < kFew ? *std::launder(reinterpret_cast<const Range*>(few_ + i * sizeof(Range))) : more_[i - kFew];
    }

    // Calls with up to five weights need no allocation. Bytes rather than an array of Range: clearing 48 of them costs as much as
    // all the checks.
    static constexpr size_t kFew = 48;
    alignas(Range) std::byte few_[kFew * sizeof(Range)];
    std::vector<Range> more_;
    size_t size_ = 0;
};

// A code table that decides codes: `count` finite values, ascending, from -1 to 1 and not all the same. Elements are divided by
// their block's absmax before they are compared, so a value beyond 1 is a table in other units, such as the integers from -8 to 7.
void require_code_table(const float* codebook, int count);

// A 4-bit or int8 weight: sizes, format and device; `index` is its place in `weights`, or -1 for the single `weight`.
void check_shape(const Stream& stream, const halfbyte_weight_4bit& weight, int64_t index);
void check_shape(const Stream& stream, const halfbyte_weight_int8& weight, int64_t index);

// And its memory.
void add_inputs(Ranges& ranges, const halfbyte_weight_4bit& weight, int64_t index);
void add_inputs(Ranges& ranges, const halfbyte_weight_int8& weight, int64_t index);

template <class T>
T* require_host(T* pointer, const char* name, const char* expected) {
    if (pointer == nullptr) fail(HALFBYTE_STATUS_NULL_POINTER, "%s is null; expected %s.", name, expected);
    if (reinterpret_cast<uintptr_t>(pointer) % alignof(T) != 0)
        fail(HALFBYTE_STATUS_MISALIGNED, "%s is not aligned to %zu bytes.", name, alignof(T));
    return pointer;
}

}  // namespace halfbyte::abi
