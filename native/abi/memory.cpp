// halfbyte.h section 4: memory.
#include "call.h"
#include "checks.h"

using namespace halfbyte;
using abi::live_stream;
using abi::Ranges;
using abi::require_host;

namespace {

using Copy = void (*)(Stream&, void*, const void*, int64_t);

int32_t copy_with(Copy Backend::*copy, halfbyte_stream stream, void* destination, const void* source, int64_t bytes) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        abi::require_not_negative(bytes, "bytes");
        Ranges ranges;
        ranges.input({"source"}, source, bytes, 1);
        ranges.output({"destination"}, destination, bytes, 1);
        ranges.finish();
        if (bytes > 0) (live.backend->*copy)(live, destination, source, bytes);
    });
}

}  // namespace

int32_t halfbyte_allocate(halfbyte_stream stream, int64_t bytes, void** memory) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        abi::require_not_negative(bytes, "bytes");
        require_host(memory, "memory");
        *memory = live.backend->allocate(live, bytes);
    });
}

int32_t halfbyte_free(halfbyte_stream stream, void* memory) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        if (memory != nullptr) live.backend->free(live, memory);
    });
}

int32_t halfbyte_copy_from_host(halfbyte_stream stream, void* destination, const void* source, int64_t bytes) {
    return copy_with(&Backend::copy_from_host, stream, destination, source, bytes);
}

int32_t halfbyte_copy_to_host(halfbyte_stream stream, void* destination, const void* source, int64_t bytes) {
    return copy_with(&Backend::copy_to_host, stream, destination, source, bytes);
}

int32_t halfbyte_copy(halfbyte_stream stream, void* destination, const void* source, int64_t bytes) {
    return copy_with(&Backend::copy, stream, destination, source, bytes);
}

int32_t halfbyte_fill(halfbyte_stream stream, void* destination, int32_t value, int64_t bytes) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        abi::require_not_negative(bytes, "bytes");
        if (value < 0 || value > 255) fail(HALFBYTE_STATUS_INVALID_VALUE, "value is %d; expected a byte, 0 to 255.", value);
        Ranges ranges;
        ranges.output({"destination"}, destination, bytes, 1);
        ranges.finish();
        if (bytes > 0) live.backend->fill(live, destination, value, bytes);
    });
}
