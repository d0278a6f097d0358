// The functions of the CUDA runtime that Halfbyte's host code calls, with the toolkit's own declarations: one device, whose
// streams do their work at once.
#include "api.h"

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "../emulation.h"
#include "device_memory.h"
#include "footprint.h"
#include "launch.h"
#include "tensor_map.h"

using namespace halfbyte::emulation;

namespace {

constexpr size_t kSharedPerBlock = 48 * 1024;
constexpr size_t kSharedPerBlockOptin = 227 * 1024;
constexpr unsigned kLargestCluster = 8;  // that every Hopper runs

using Clock = std::chrono::steady_clock;  // of events; it is the host's time that they tell

thread_local cudaError_t t_error = cudaSuccess;
thread_local bool t_has_context = false;  // current on this thread
thread_local std::string t_text;          // of the last fault, for cudaGetErrorString

std::mutex g_mutex;
std::unordered_map<const void*, size_t> g_shared_limit;  // per kernel, what cudaFuncSetAttribute allowed

int attribute(cudaDeviceAttr which) {
    switch (which) {
        case cudaDevAttrComputeCapabilityMajor:
            return architecture() / 10;
        case cudaDevAttrComputeCapabilityMinor:
            return architecture() % 10;
        case cudaDevAttrMultiProcessorCount:
            return 4;  // few, so that kernels that fill the device once stay small
        case cudaDevAttrMaxThreadsPerBlock:
            return 1024;
        case cudaDevAttrMaxThreadsPerMultiProcessor:
            return 2048;
        case cudaDevAttrMaxSharedMemoryPerBlock:
            return static_cast<int>(kSharedPerBlock);
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            return static_cast<int>(architecture() == 75   ? 64 * 1024
                                    : architecture() == 80 ? 163 * 1024
                                    : architecture() < 90  ? 99 * 1024
                                                           : kSharedPerBlockOptin);
        case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
            return 228 * 1024;
        case cudaDevAttrWarpSize:
            return 32;
        case cudaDevAttrL2CacheSize:
            return 50 << 20;
        case cudaDevAttrMemoryPoolsSupported:
            return 1;
        default:
            return 0;
    }
}

cudaError_t driver_function(const char* symbol, void** function, cudaDriverEntryPointQueryResult* result) {
    *function = std::strcmp(symbol, "cuTensorMapEncodeTiled") == 0 ? reinterpret_cast<void*>(&encode_tensor_map) : nullptr;
    if (result != nullptr) *result = *function != nullptr ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
}

}  // namespace

namespace halfbyte::emulation {
int architecture() {
    const char* text = std::getenv("HALFBYTE_EMULATION_ARCHITECTURE");
    return text != nullptr && std::atoi(text) > 0 ? std::atoi(text) : 90;
}

void use_context() { t_has_context = true; }
bool has_context() { return t_has_context; }

cudaError_t status(cudaError_t error) {
    if (error != cudaSuccess) t_error = error;
    return error;
}
}  // namespace halfbyte::emulation

extern "C" {

// ---- devices and errors --------------------------------------------------------------------------------------------------------

cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaSetDevice(int device) {
    use_context();
    return status(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}
cudaError_t cudaDeviceSynchronize() { return forget_predecessor(), cudaSuccess; }
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) { return *value = attribute(which), cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
    *properties = {};
    std::snprintf(properties->name, sizeof properties->name, "emulated sm_%d", architecture());
    properties->major = architecture() / 10;
    properties->minor = architecture() % 10;
    properties->totalGlobalMem = DeviceMemory::kCapacity;
    properties->multiProcessorCount = attribute(cudaDevAttrMultiProcessorCount);
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->sharedMemPerBlock = kSharedPerBlock;
    properties->sharedMemPerBlockOptin = static_cast<size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
    properties->l2CacheSize = attribute(cudaDevAttrL2CacheSize);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
    *total = DeviceMemory::kCapacity;
    *available = *total - DeviceMemory::instance().used();
    return cudaSuccess;
}

cudaError_t cudaGetLastError() { return std::exchange(t_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return t_error; }

const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaSuccess:
            return "cudaSuccess";
        case cudaErrorInvalidValue:
            return "cudaErrorInvalidValue";
        case cudaErrorMemoryAllocation:
            return "cudaErrorMemoryAllocation";
        case cudaErrorInvalidConfiguration:
            return "cudaErrorInvalidConfiguration";
        case cudaErrorInvalidClusterSize:
            return "cudaErrorInvalidClusterSize";
        case cudaErrorInvalidDevice:
            return "cudaErrorInvalidDevice";
        case cudaErrorNotSupported:
            return "cudaErrorNotSupported";
        case cudaErrorLaunchFailure:
            return "cudaErrorLaunchFailure";
        default:
            return "cudaError";
    }
}

const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaErrorLaunchFailure && !t_text.empty() ? t_text.c_str() : cudaGetErrorName(error);
}

// ---- streams and events: everything is done when the call that enqueued it returns ---------------------------------------------

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    use_context();
    *stream = reinterpret_cast<cudaStream_t>(new char);
    return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, 0); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return delete reinterpret_cast<char*>(stream), cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return forget_predecessor(), cudaSuccess; }
cudaError_t cudaStreamQuery(cudaStream_t) { return forget_predecessor(), cudaSuccess; }
cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* capturing) {
    return *capturing = cudaStreamCaptureStatusNone, cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = reinterpret_cast<cudaEvent_t>(new Clock::time_point(Clock::now()));
    return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete reinterpret_cast<Clock::time_point*>(event), cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
    forget_predecessor();
    return *reinterpret_cast<Clock::time_point*>(event) = Clock::now(), cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
    const auto at = [](cudaEvent_t event) { return *reinterpret_cast<Clock::time_point*>(event); };
    return *milliseconds = std::chrono::duration<float, std::milli>(at(end) - at(begin)).count(), cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return forget_predecessor(), cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return forget_predecessor(), cudaSuccess; }

// ---- kernels -------------------------------------------------------------------------------------------------------------------

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute which, int value) {
    if (which != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    if (value < 0 || value > attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin)) return status(cudaErrorInvalidValue);
    const std::lock_guard lock(g_mutex);
    g_shared_limit[function] = static_cast<size_t>(value);
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads, size_t shared) {
    *blocks = threads <= 0
                  ? 0
                  : static_cast<int>(std::min<size_t>(2048 / static_cast<size_t>(threads), shared ? 233472 / (shared + 1024) : 32));
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveClusters(int* clusters, const void*, const cudaLaunchConfig_t* config) {
    unsigned blocks = 1;
    for (unsigned i = 0; i < config->numAttrs; ++i)
        if (config->attrs[i].id == cudaLaunchAttributeClusterDimension) blocks = config->attrs[i].val.clusterDim.x;
    *clusters = attribute(cudaDevAttrMultiProcessorCount) / static_cast<int>(blocks);
    return cudaSuccess;
}

// The only driver function that host code asks for by name. CUDA 13 has the second form alone.
#if CUDART_VERSION < 13000
cudaError_t cudaGetDriverEntryPoint(const char* symbol, void** function, unsigned long long,
                                    cudaDriverEntryPointQueryResult* result) {
    return driver_function(symbol, function, result);
}
#endif
#if CUDART_VERSION >= 12050
cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult* result) {
    return driver_function(symbol, function, result);
}
#endif

}  // extern "C"

namespace halfbyte::emulation {

// What the shadow of cudaLaunchKernelEx calls.
cudaError_t launch_kernel(const cudaLaunchConfig_t& config, const void* function, void (*call)(void*), void* arguments,
                          size_t argument_bytes) {
    use_context();
    const dim3 grid = config.gridDim, block = config.blockDim;
    const uint64_t threads = uint64_t{block.x} * block.y * block.z;
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535 || threads == 0 ||
        threads > 1024 || block.z > 64)
        return status(cudaErrorInvalidConfiguration);
    size_t limit = kSharedPerBlock;
    {
        const std::lock_guard lock(g_mutex);
        if (const auto it = g_shared_limit.find(function); it != g_shared_limit.end()) limit = std::max(limit, it->second);
    }
    if (config.dynamicSmemBytes > limit) return status(cudaErrorInvalidValue);
    unsigned cluster = 1;
    for (unsigned i = 0; i < config.numAttrs; ++i) {
        const cudaLaunchAttribute& given = config.attrs[i];
        // Whether a driver ignores it there is written nowhere.
        if (given.id == cudaLaunchAttributeProgrammaticStreamSerialization && architecture() < 90)
            return status(cudaErrorNotSupported);
        if (given.id != cudaLaunchAttributeClusterDimension) continue;
        cluster = given.val.clusterDim.x;
        if (given.val.clusterDim.y * given.val.clusterDim.z != 1) return status(cudaErrorNotSupported);  // see README.md
    }
    if (cluster == 0 || cluster > kLargestCluster || grid.x % cluster != 0 || (cluster > 1 && architecture() < 90))
        return status(cudaErrorInvalidClusterSize);
    const cudaError_t error = run(config, cluster, function, call, arguments, argument_bytes);
    if (error != cudaSuccess) t_text = peek_report().text;
    return status(error);
}

}  // namespace halfbyte::emulation
