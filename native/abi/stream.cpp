// halfbyte.h section 3: devices and streams.
#include "call.h"
#include "checks.h"
#include "cpu/cpu_stream.h"
#include "cpu/features.h"

using namespace halfbyte;
using abi::live_stream;
using abi::require_host;

int32_t halfbyte_cuda_device_count(int32_t* count) {
    return abi::call([&] {
        require_host(count, "count");
        *count = cuda_backend() == nullptr ? 0 : cuda_backend()->device_count(nullptr);
    });
}

int32_t halfbyte_device_name(int32_t device, uint8_t* text, int64_t capacity, int64_t* length) {
    return abi::call([&] { abi::write_text(backend_of(device).device_name(device), text, capacity, length); });
}

int32_t halfbyte_device_memory(int32_t device, int64_t* free_bytes, int64_t* total_bytes) {
    return abi::call([&] {
        require_host(free_bytes, "free_bytes");
        require_host(total_bytes, "total_bytes");
        backend_of(device).device_memory(device, free_bytes, total_bytes);
    });
}

int32_t halfbyte_cpu_best_path(int32_t* path) {
    return abi::call([&] { *require_host(path, "path") = static_cast<int32_t>(cpu::best_path()); });
}

int32_t halfbyte_stream_create(int32_t device, halfbyte_stream* stream) {
    return abi::call([&] {
        require_host(stream, "stream");
        *stream = backend_of(device).stream_create(device);
    });
}

int32_t halfbyte_stream_create_cpu(int32_t path, int32_t threads, halfbyte_stream* stream) {
    return abi::call([&] {
        require_host(stream, "stream");
        *stream = cpu::create_stream(path, threads);
    });
}

int32_t halfbyte_stream_wrap_cuda(int32_t ordinal, void* cuda_stream, halfbyte_stream* stream) {
    return abi::call([&] {
        require_host(stream, "stream");
        if (ordinal < 0 || ordinal > INT32_MAX - HALFBYTE_DEVICE_CUDA)
            fail(HALFBYTE_STATUS_NO_DEVICE, "ordinal is %d; expected that of a CUDA device, 0 or more.", ordinal);
        const int32_t device = HALFBYTE_DEVICE_CUDA + ordinal;
        *stream = backend_of(device).stream_wrap(device, cuda_stream);
    });
}

int32_t halfbyte_stream_synchronize(halfbyte_stream stream) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        live.backend->stream_synchronize(live);
    });
}

int32_t halfbyte_stream_destroy(halfbyte_stream stream) {
    return abi::call([&] {
        if (stream == nullptr) return;
        Stream& live = live_stream(stream);
        live.alive = 0;
        live.backend->stream_destroy(&live);
    });
}

int32_t halfbyte_stream_describe(halfbyte_stream stream, uint8_t* text, int64_t capacity, int64_t* length) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        abi::write_text(live.backend->stream_describe(live), text, capacity, length);
    });
}
