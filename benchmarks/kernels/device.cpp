#include "device.h"

#include <fstream>
#include <stdexcept>
#include <vector>

namespace halfbyte::benchmark {
namespace {

int attribute(cudaDeviceAttr which) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, 0), "cudaDeviceGetAttribute");
    return value;
}

// 13000 -> "13.0"
std::string dotted(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

// The kernel module says which driver this is; the runtime only knows the newest CUDA it supports.
std::string driver_version() {
    int version = 0;
    check(cudaDriverGetVersion(&version), "cudaDriverGetVersion");
    std::string text = "CUDA " + dotted(version), word;
    std::ifstream module("/sys/module/nvidia/version");
    if (module >> word) text = word + ", " + text;
    return text;
}

}  // namespace

void check(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

void check(int32_t status) {
    if (status == HALFBYTE_STATUS_OK) return;
    std::vector<uint8_t> text(1024);
    int64_t length = 0;
    halfbyte_last_error(text.data(), static_cast<int64_t>(text.size()), &length);
    length = std::min(length, static_cast<int64_t>(text.size()));
    throw std::runtime_error("halfbyte: " + std::string(text.begin(), text.begin() + length));
}

Buffer::Buffer(int64_t bytes) : bytes_(bytes) {
    check(cudaMalloc(&data_, static_cast<size_t>(bytes > 0 ? bytes : 1)), "cudaMalloc");
}

Buffer::~Buffer() { cudaFree(data_); }

Machine describe_machine() {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
    Machine machine;
    machine.gpu = properties.name;
    machine.driver = driver_version();
    int runtime = 0;
    check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
    machine.runtime = dotted(runtime);
    uint8_t text[256];
    int64_t length = 0;
    check(halfbyte_version(text, sizeof text, &length));
    machine.library.assign(reinterpret_cast<char*>(text), static_cast<size_t>(std::min<int64_t>(length, sizeof text)));
    machine.capability = properties.major * 10 + properties.minor;
    machine.multiprocessors = properties.multiProcessorCount;
    machine.l2_bytes = properties.l2CacheSize;
    machine.memory_bytes = static_cast<int64_t>(properties.totalGlobalMem);
    machine.sm_clock_mhz = attribute(cudaDevAttrClockRate) / 1000;
    machine.memory_clock_mhz = attribute(cudaDevAttrMemoryClockRate) / 1000;
    return machine;
}

}  // namespace halfbyte::benchmark
