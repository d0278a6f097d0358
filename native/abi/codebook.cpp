// halfbyte.h section 5: the code tables.
#include <algorithm>

#include "call.h"
#include "checks.h"
#include "core/codebooks.h"

using namespace halfbyte;

namespace {

template <size_t size>
void write(const std::array<float, size>& table, float* values, int64_t capacity) {
    if (capacity < static_cast<int64_t>(size))
        fail(HALFBYTE_STATUS_INVALID_SIZE, "capacity is %lld; this codebook has %zu values.", static_cast<long long>(capacity),
             size);
    std::copy(table.begin(), table.end(), values);
}

}  // namespace

int32_t halfbyte_codebook_values(int32_t codebook, float* values, int64_t capacity) {
    return abi::call([&] {
        abi::require_host(values, "values");
        switch (codebook) {
            case HALFBYTE_CODEBOOK_FP4:
                return write(kFp4, values, capacity);
            case HALFBYTE_CODEBOOK_NF4:
                return write(kNf4, values, capacity);
            case HALFBYTE_CODEBOOK_DYNAMIC_SIGNED:
                return write(dynamic_signed(), values, capacity);
            case HALFBYTE_CODEBOOK_DYNAMIC_UNSIGNED:
                return write(dynamic_unsigned(), values, capacity);
            default:
                fail(HALFBYTE_STATUS_INVALID_FORMAT, "codebook is %d; expected a value of enum halfbyte_codebook (1 to 4).",
                     codebook);
        }
    });
}
