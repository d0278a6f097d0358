// The CPU backend: the table, its streams and its memory.
#include "core/backend.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <string>

#include "core/error.h"
#include "operations.h"

#if defined(__linux__)
#include <sys/sysinfo.h>
#endif

namespace halfbyte::cpu {
namespace {

constexpr size_t kAlignment = 256;  // halfbyte.h section 4

int32_t device_count(std::string*) { return 1; }

std::string processor_name() {
#if defined(__linux__)
    std::ifstream cpuinfo("/proc/cpuinfo");
    for (std::string line; std::getline(cpuinfo, line);) {
        if (line.rfind("model name", 0) != 0) continue;
        const size_t colon = line.find(": ");
        if (colon != std::string::npos) return line.substr(colon + 2);
    }
#endif
    return "CPU";
}

std::string device_name(int32_t) { return processor_name() + " (" + name_of(best_path()) + ")"; }

void device_memory(int32_t, int64_t* free_bytes, int64_t* total_bytes) {
#if defined(__linux__)
    struct sysinfo info {};
    if (sysinfo(&info) != 0) fail(HALFBYTE_STATUS_DEVICE_ERROR, "The system did not report its memory.");
    const int64_t unit = info.mem_unit;
    *free_bytes = static_cast<int64_t>(info.freeram + info.bufferram) * unit;
    *total_bytes = static_cast<int64_t>(info.totalram) * unit;
#else
    (void)free_bytes, (void)total_bytes;
    fail(HALFBYTE_STATUS_NOT_SUPPORTED, "Memory of the CPU is not reported on this system.");
#endif
}

Stream* stream_create(int32_t) { return create_stream(HALFBYTE_CPU_PATH_AUTO, 0); }

void stream_synchronize(Stream&) {}

void stream_destroy(Stream* stream) { delete &cpu_stream(*stream); }

std::string stream_describe(Stream& stream) {
    const CpuStream& cpu = cpu_stream(stream);
    return std::string("cpu ") + name_of(cpu.path) + ", " + std::to_string(cpu.threads) +
           (cpu.threads == 1 ? " thread" : " threads");
}

void* allocate(Stream&, int64_t bytes) {
    if (bytes == 0) return nullptr;
    void* memory = ::operator new (static_cast<size_t>(bytes), std::align_val_t{kAlignment}, std::nothrow);
    if (memory == nullptr)
        fail(HALFBYTE_STATUS_OUT_OF_MEMORY, "Could not allocate %lld bytes of host memory.", static_cast<long long>(bytes));
    return memory;
}

void free_memory(Stream&, void* memory) { ::operator delete (memory, std::align_val_t{kAlignment}); }

void copy(Stream&, void* destination, const void* source, int64_t bytes) {
    std::memmove(destination, source, static_cast<size_t>(bytes));
}

void fill(Stream&, void* destination, int32_t value, int64_t bytes) { std::memset(destination, value, static_cast<size_t>(bytes)); }

}  // namespace

Stream* create_stream(int32_t path, int32_t threads) {
    auto* stream = new CpuStream;
    stream->backend = &cpu_backend();
    try {
        stream->path = resolve_path(path);
        stream->threads = resolve_threads(threads);
    } catch (...) {
        delete stream;
        throw;
    }
    return stream;
}

}  // namespace halfbyte::cpu

namespace halfbyte {

const Backend& cpu_backend() {
    static const Backend backend = {
        .name = "cpu",
        .device_count = cpu::device_count,
        .device_name = cpu::device_name,
        .device_memory = cpu::device_memory,
        .stream_create = cpu::stream_create,
        .stream_wrap = nullptr,
        .stream_synchronize = cpu::stream_synchronize,
        .stream_destroy = cpu::stream_destroy,
        .stream_describe = cpu::stream_describe,
        .allocate = cpu::allocate,
        .free = cpu::free_memory,
        .copy_from_host = cpu::copy,
        .copy_to_host = cpu::copy,
        .copy = cpu::copy,
        .fill = cpu::fill,
        .quantize_4bit = cpu::quantize_4bit,
        .dequantize_4bit = cpu::dequantize_4bit,
        .lookup_4bit = cpu::lookup_4bit,
        .quantize_blockwise = cpu::quantize_blockwise,
        .dequantize_blockwise = cpu::dequantize_blockwise,
        .double_quantize = cpu::double_quantize,
        .double_dequantize = cpu::double_dequantize,
        .quantize_int8_rows = cpu::quantize_int8_rows,
        .quantize_int8_rows_workspace = cpu::quantize_int8_rows_workspace,
        .dequantize_int8 = cpu::dequantize_int8,
        .matmul_4bit = cpu::matmul_4bit,
        .matmul_4bit_workspace = cpu::matmul_4bit_workspace,
        .matmul_4bit_transposed = cpu::matmul_4bit_transposed,
        .matmul_4bit_transposed_workspace = cpu::matmul_4bit_transposed_workspace,
        .matmul_int8 = cpu::matmul_int8,
        .matmul_int8_workspace = cpu::matmul_int8_workspace,
        .matmul_int8_transposed = cpu::matmul_int8_transposed,
        .matmul_int8_transposed_workspace = cpu::matmul_int8_transposed_workspace,
    };
    return backend;
}

}  // namespace halfbyte
