#include "call.h"

#include <algorithm>
#include <cstring>

namespace halfbyte::abi {
namespace {

// A fixed buffer rather than a string: keeping the sentence for "out of memory" must not need memory.
struct LastError {
    char text[1024];
    size_t length = 0;
};
thread_local LastError last_error;

}  // namespace

void remember(std::string_view message) noexcept {
    last_error.length = std::min(message.size(), sizeof last_error.text);
    std::memcpy(last_error.text, message.data(), last_error.length);
}

void write_text(std::string_view text, uint8_t* buffer, int64_t capacity, int64_t* length) {
    if (length == nullptr) fail(HALFBYTE_STATUS_NULL_POINTER, "length is null; expected a place for the text's length.");
    if (capacity < 0)
        fail(HALFBYTE_STATUS_INVALID_SIZE, "capacity is %lld; expected 0 or more bytes.", static_cast<long long>(capacity));
    if (buffer == nullptr && capacity > 0) fail(HALFBYTE_STATUS_NULL_POINTER, "text is null but capacity is not 0; pass a buffer.");
    *length = static_cast<int64_t>(text.size());
    if (capacity > 0) std::memcpy(buffer, text.data(), std::min(text.size(), static_cast<size_t>(capacity)));
}

}  // namespace halfbyte::abi

using namespace halfbyte;

int32_t halfbyte_last_error(uint8_t* text, int64_t capacity, int64_t* length) {
    // A bad call must not replace the sentence it was asked for.
    if (length == nullptr || capacity < 0 || (text == nullptr && capacity > 0)) {
        return length == nullptr || text == nullptr ? HALFBYTE_STATUS_NULL_POINTER : HALFBYTE_STATUS_INVALID_SIZE;
    }
    abi::write_text({abi::last_error.text, abi::last_error.length}, text, capacity, length);
    return HALFBYTE_STATUS_OK;
}
